"""A session in words: what it was asked to do, of which images, and which clips are done; `rigs.archive` keeps them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from natadv.raindrops.layout import SUFFIX
from rigs.geometry import Point, ScreenGeometry
from rigs.lens import LensSettings

Kind = Literal["dry", "wet"]
KINDS: tuple[Kind, ...] = ("dry", "wet")
Purpose = Literal["training", "test"]
Motion = Literal["waypoints", "smooth"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Item(_Record):
    """One clean image of a session.

    Attributes:
        number: its place in the session.
        source: its path below the images folder.
        label: its class; empty where nobody said it yet.
        sha256: of that file.
        drops_sha256: of the layout beside it, whose drops its clip has; None where the plate is sprayed.
        origin: what that file was copied from, as far as the images folder said; its name tells what it is of.
    """

    number: int
    source: str
    label: str
    sha256: str
    drops_sha256: str | None = None
    origin: str | None = None

    def clip_name(self, kind: Kind) -> str:
        """Return the folder of its clip below the session's folder."""
        return f"clips/{self.number:04d}-{kind}"

    @property
    def image_name(self) -> str:
        """The file of its clean image below the session's folder."""
        return f"images/{self.number:04d}.png"

    @property
    def layout_name(self) -> str:
        """The file of its drops below the session's folder, where it has a layout."""
        return f"images/{self.number:04d}{SUFFIX}"


class Checks(_Record):
    """When what was recorded of an image is not kept but recorded again, up to `retries` times; then it is skipped.

    Attributes:
        retries: recordings of an image after the first.
        exposure_drift: share by which the light around the control's picture may differ from that of the session's
            first controls.
        likeness: least correlation of the picture that the control shows with the image, -1..1; it must also be more
            than that with the image shown before.
        lost_frames: that a clip may lack.
        coverage: least and most of the picture that drops cover, as a clip's mean, 0..1; the least is for plates that
            are sprayed. A dry plate is estimated at 0, the lightest sprays of the simulated bench at 0.007 and more.
        drop_count: least and most drops on the plate, where the rig knows.
        wrong_control: what becomes of an image whose control all models that are scanned with meanwhile get wrong.
        skipped_in_a_row: so many, for other reasons than that, end the session: something is wrong with the rig.
    """

    retries: Annotated[int, Field(ge=0)] = 2
    exposure_drift: Annotated[float, Field(gt=0)] = 0.1
    likeness: Annotated[float, Field(ge=-1, le=1)] = 0.7
    lost_frames: Annotated[int, Field(ge=0)] = 1
    coverage: tuple[float, float] = (0.002, 1.0)
    drop_count: tuple[int, int] | None = None
    wrong_control: Literal["keep", "reshoot"] = "reshoot"
    skipped_in_a_row: Annotated[int, Field(ge=1)] = 5


class SessionSettings(_Record):
    """What a session was asked to do, on which rig.

    Attributes:
        checks: when to record again; None where whatever is recorded is kept, as sessions did at first.
        motion: how the stage carries the plate: along a smooth path, or from random place to random place.
        purpose: a test session's hits never become training data.
        seed: of the trajectories and, on a simulated rig, of the drops and the noise.
        clip_s: length of a clip.
        control_frames: frames recorded through dry glass; 0: no clip is.
        spray_s: how long the plate is sprayed for each clip.
        images: the folder, its whole path.
        items: in the order of recording.
        crop_px: (left, top, right, bottom) of what is stored of the camera's frame.
        corners_px: the shown picture in the stored frames, as in ScreenGeometry.
        lens: what distorts the stored frames; None for nothing.
        rig: the rig's whole description.
    """

    format: Literal["natadv-session/1"] = "natadv-session/1"
    created: str
    natadv_version: str
    purpose: Purpose
    seed: Annotated[int, Field(ge=0)]
    clip_s: float
    control_frames: int
    spray_s: float
    fps: float
    images: str
    items: tuple[Item, ...]
    crop_px: tuple[int, int, int, int]
    corners_px: tuple[Point, Point, Point, Point]
    lens: LensSettings | None = None
    rig_file: str
    rig: dict[str, Any]
    checks: Checks | None = None
    motion: Motion = "waypoints"

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The clips that each item has."""
        return KINDS if self.control_frames else ("wet",)

    @property
    def geometry(self) -> ScreenGeometry:
        """Where the shown picture lies in the stored frames."""
        return ScreenGeometry(self.corners_px, self.lens.lens if self.lens else None)


class ClipRecord(_Record):
    """A line of the manifest: one completed clip.

    Attributes:
        attempt: recordings of the image that were rejected before.
        coverage: mean share of the picture that drops cover, 0..1; None where nobody knows.
        measured: whether the coverage was estimated from the control, not told by the rig.
        light: level around a control's picture, 0..255; None where the frames hold nothing around it.
    """

    item: int
    kind: Kind
    clip: str
    frames: int
    lost: int
    pixels_sha256: str
    attempt: int = 0
    coverage: float | None = None
    measured: bool = False
    light: float | None = None


class VoidRecord(_Record):
    """A line of the manifest: the clip noted before is damaged or gone, and is to be recorded again."""

    item: int
    kind: Kind
    void: str


class RejectedRecord(_Record):
    """A line of the manifest: what was recorded of an image, noted or not, does not count; the next attempt is another.

    Attributes:
        asked: whether a person asked for it, so that it is no failed attempt.
        pixels_sha256: of its clips that had been noted; what is killed before it has put them aside does so later.
    """

    item: int
    rejected: tuple[str, ...]
    asked: bool = False
    pixels_sha256: tuple[str, ...] = ()


class SkippedRecord(_Record):
    """A line of the manifest: an image was given up, and why; it is not missing any more."""

    item: int
    skipped: tuple[str, ...]


class RetriedRecord(_Record):
    """A line of the manifest: an image that was given up gets all its attempts again."""

    item: int
    retried: Literal[True]
