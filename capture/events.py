"""What happens in a session, as small frozen events; `capture.journal` keeps them as JSON lines.

Each is a line of its own kind with the moment, by the computer's clock in UTC, and says itself in words by `text`.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from rigs.motion import COVERED
from rigs.session import Kind

Device = Literal["camera", "screen", "stage", "sprayer", "rig"]
Outcome = Literal["complete", "ended", "emergency", "failed", "interrupted"]


def _now() -> datetime:
    return datetime.now(UTC)


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime = Field(default_factory=_now)

    @property
    def text(self) -> str:
        """Return the event in words, one line."""
        raise NotImplementedError


class Began(_Event):
    """A session began, or went on.

    Attributes:
        images: in the session.
        done: of them complete.
        skipped: of them given up before.
        clips: that an image has: 1 or 2.
        pid: of the process that records.
    """

    kind: Literal["began"] = "began"
    images: int
    done: int
    skipped: int
    clips: int
    pid: int

    @property
    def text(self) -> str:
        """Return the event in words, one line."""
        gone_on = (
            f"{self.done} recorded, {self.skipped} skipped before" if self.done or self.skipped else "a new session"
        )
        return f"began: {self.images} images, {gone_on}"


class Doing(_Event):
    """An image is turned to: its control, or its clip.

    Attributes:
        source: its path below the images' folder.
        attempt: 0 the first time; each re-shoot is one more.
    """

    kind: Literal["doing"] = "doing"
    item: int
    clip: Kind
    source: str
    label: str
    attempt: int = 0

    @property
    def text(self) -> str:
        """Return the event in words, one line."""
        again = f", attempt {self.attempt + 1}" if self.attempt else ""
        return f"image {self.item} ({self.source}): {'control' if self.clip == 'dry' else 'clip'}{again}"


class Recorded(_Event):
    """A clip is complete, on the disk and noted.

    Attributes:
        coverage: mean share of the picture that drops cover, 0..1; None where nobody knows.
        complete: whether the image has all its clips now.
        measured: whether the coverage was estimated from the control, not told by the rig.
        stored_bytes: that it takes on the disk.
    """

    kind: Literal["recorded"] = "recorded"
    item: int
    clip: Kind
    attempt: int
    frames: int
    lost: int
    complete: bool
    coverage: float | None = None
    measured: bool = False
    stored_bytes: int

    @property
    def text(self) -> str:
        """Return the event in words, one line."""
        wet = "" if self.coverage is None or self.clip == "dry" else f", {100 * self.coverage:.1f} % wet"
        lost = f", {self.lost} lost" if self.lost else ""
        return f"image {self.item} {self.clip}: {self.frames} frames{lost}{wet}, {self.stored_bytes / 1e6:.1f} MB"


class Reshot(_Event):
    """What was recorded of an image is not kept; it is recorded again."""

    kind: Literal["reshot"] = "reshot"
    item: int
    attempt: int
    reasons: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return the event in words, one line."""
        return f"image {self.item}: again, attempt {self.attempt + 1} was not good: {'; '.join(self.reasons)}"


class Skipped(_Event):
    """An image was given up; `--resume --retry-skipped` tries it again."""

    kind: Literal["skipped"] = "skipped"
    item: int
    reasons: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return the event in words, one line."""
        return f"image {self.item}: skipped: {'; '.join(self.reasons)}"


class Hits(_Event):
    """A model that is scanned with meanwhile has seen an image's clips.

    Attributes:
        model: name of the bundle's folder.
        hits: frames that fool it while it gets the control right.
        frames: of the clip.
        attempt: at the image, as in Recorded.
        best: the hit it is surest of, its place in the clip, and what it is taken for; None where there is none.
        pictures: of some hits, files below the session's folder.
    """

    kind: Literal["hits"] = "hits"
    item: int
    model: str
    hits: int
    frames: int
    control_right: bool
    attempt: int = 0
    best: int | None = None
    predicted: str | None = None
    pictures: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Return the event in words, one line."""
        if not self.control_right:
            return f"image {self.item}: {self.model} is wrong without drops already"
        return f"image {self.item}: {self.hits} of {self.frames} frames fool {self.model}"


class DeviceLost(_Event):
    """A device failed; the stage was stopped, the sprayer shut, and the rig let go.

    Attributes:
        tries: failures one after the other, without a clip between.
        wait_s: before it is opened again; None: it is not.
    """

    kind: Literal["device-lost"] = "device-lost"
    device: Device
    reason: str
    tries: int
    wait_s: float | None

    @property
    def text(self) -> str:
        """Return the event in words, one line."""
        then = "given up" if self.wait_s is None else f"opened again in {self.wait_s:g} s"
        return f"{self.device} lost ({self.reason}); {then}"


class DeviceBack(_Event):
    """The rig is open again."""

    kind: Literal["device-back"] = "device-back"
    device: Device
    lost_s: float

    @property
    def text(self) -> str:
        """Return the event in words, one line."""
        return f"{self.device} back after {self.lost_s:.1f} s"


class Paused(_Event):
    """The session rests."""

    kind: Literal["paused"] = "paused"
    by: str

    @property
    def text(self) -> str:
        """Return the event in words, one line."""
        return f"paused by {self.by}"


class Resumed(_Event):
    """The session goes on after a pause."""

    kind: Literal["resumed"] = "resumed"
    by: str

    @property
    def text(self) -> str:
        """Return the event in words, one line."""
        return f"resumed by {self.by}"


class Disk(_Event):
    """How far the disk will reach.

    Attributes:
        free_bytes: now.
        image_bytes: that an image took so far, on average; an estimate before the first.
        images_left: to be recorded.
    """

    kind: Literal["disk"] = "disk"
    free_bytes: int
    image_bytes: int
    images_left: int

    @property
    def reaches(self) -> int:
        """For how many images more."""
        return self.free_bytes // max(1, self.image_bytes)

    @property
    def enough(self) -> bool:
        """Whether for all that are left."""
        return self.reaches >= self.images_left

    @property
    def text(self) -> str:
        """Return the event in words, one line."""
        much = f"{self.free_bytes / 1e9:.1f} GB free, {self.image_bytes / 1e6:.1f} MB an image"
        if self.enough:
            return f"disk: {much}: enough for the {self.images_left} left"
        return f"disk: {much}: full after {self.reaches} of the {self.images_left} left"


class Said(_Event):
    """Anything else that a person should know.

    Attributes:
        trouble: whether to look at it.
    """

    kind: Literal["said"] = "said"
    words: str
    trouble: bool = False

    @property
    def text(self) -> str:
        """Return the event in words, one line."""
        return self.words


class Coverage(_Event):
    """How much of the stage's travel the clips of a session have covered, see rigs.motion; a share, 0..1, or None."""

    kind: Literal["coverage"] = "coverage"
    disc: float | None
    angle: float | None
    clips: int

    @property
    def enough(self) -> bool | None:
        """Whether the stated range, the stage's travel, is covered; None where nobody can know."""
        return None if self.disc is None or self.angle is None else min(self.disc, self.angle) >= COVERED

    @property
    def shares(self) -> str:
        """Return how much of the range, in words."""
        if self.disc is None or self.angle is None:
            return "the stage does not say where it is" if self.clips else "nothing of the range"
        return f"{100 * self.disc:.0f} % of the disc and {100 * self.angle:.0f} % of the angles"

    @property
    def verdict(self) -> str:
        """Return in words whether the range is covered."""
        if self.enough is None and self.clips:
            return f"whether the stated range is covered nobody knows, as {self.shares}"
        if self.enough:
            return f"the stated range is covered: {self.shares}"
        return f"the stated range is not covered: {self.shares}, it takes {100 * COVERED:.0f} %; record more images"

    @property
    def text(self) -> str:
        """Return the event in words, one line."""
        return f"motion: {self.clips} clips, {self.verdict}"


class Stopped(_Event):
    """The session stopped; the last event of a process, unless it was killed."""

    kind: Literal["stopped"] = "stopped"
    outcome: Outcome
    reason: str

    @property
    def text(self) -> str:
        """Return the event in words, one line."""
        return f"{self.outcome}: {self.reason}"


Event = Annotated[
    Began
    | Doing
    | Recorded
    | Reshot
    | Skipped
    | Hits
    | DeviceLost
    | DeviceBack
    | Paused
    | Resumed
    | Disk
    | Said
    | Coverage
    | Stopped,
    Field(discriminator="kind"),
]

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
