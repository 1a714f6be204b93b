"""What the page's interfaces answer and take, as JSON."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

Standing = Literal[
    "preview", "starting", "running", "pausing", "paused", "stopping", "halted", "lost", "ended"
]  # fmt: skip
Wish = Literal["start", "pause", "resume", "skip", "respray", "end"]
Health = Literal["good", "lost", "waiting"]


class View(BaseModel):
    """The newest frame.

    Attributes:
        index: the camera's own counter.
        age_s: since it was seen to be new.
        fps: frames a second of the machine's clock, of late; None where that is not known yet.
        histogram: of red, green and blue, 64 bins each, roots of the counts, the highest 100.
        dark: share of black pixels, 0..1.
        bright: share of pixels that are as bright as can be in a channel, so that light was lost, 0..1.
        sharpness: of the shown picture; to be compared with itself alone.
    """

    index: int
    width_px: int
    height_px: int
    age_s: float = 0.0
    fps: float | None = None
    histogram: list[list[int]]
    dark: float
    bright: float
    sharpness: float


class Turn(BaseModel):
    """The image that is being recorded; `clip` is dry or wet, `attempt` counts from 0."""

    item: int
    clip: str
    source: str
    label: str
    attempt: int


class DeviceHealth(BaseModel):
    """A device, how it is, and why."""

    device: str
    health: Health
    words: str


class ModelCount(BaseModel):
    """What a model made of the images so far: `rate` is the share that fooled it, with its interval, in words."""

    model: str
    images: int
    fooled: int
    hits: int
    controls_wrong: int
    rate: str


class HitShown(BaseModel):
    """An image that fooled a model; pictures of it are at /api/hits/NUMBER/0.jpg and so on.

    Attributes:
        best: the place of the picture that the model is surest of.
    """

    number: int
    item: int
    model: str
    predicted: str | None
    hits: int
    frames: int
    pictures: int
    best: int


class PromptShown(BaseModel):
    """What the operator is asked to do by hand."""

    number: int
    words: str


class State(BaseModel):
    """How things stand at one moment.

    Attributes:
        run: another one after each start of the program.
        standing: preview (no session yet), starting, running, pausing, paused, stopping (after this clip), halted (an
            emergency stop), lost (a device is, and is opened again), or ended.
        reason: why, in words.
        can: the wishes that would be taken now.
        unstopped: devices that had not obeyed an emergency stop after two seconds.
        item: the image that skip and re-spray would be for; None: there is none.
        now: the clip that is being recorded; None: none is.
        corners: of the shown picture in the frame, from top-left, clockwise, pixels; None: not calibrated.
        left_s: until all is recorded, at the pace of late.
    """

    run: str
    at: datetime
    rig: str
    session: str | None
    standing: Standing
    reason: str
    can: list[Wish]
    unstopped: list[str]
    images: int
    done: int
    skipped: int
    reshoots: int
    item: int | None
    now: Turn | None
    images_per_hour: int | None
    left_s: float | None
    disk: str | None
    disk_enough: bool
    devices: list[DeviceHealth]
    models: list[ModelCount]
    hits: list[HitShown]
    prompt: PromptShown | None
    view: View | None
    corners: list[tuple[float, float]] | None


class Stop(BaseModel):
    """What an emergency stop came to; `unstopped` names the devices that had not obeyed after two seconds."""

    detail: str
    unstopped: list[str]


class Said(BaseModel):
    """That something was done, or why not."""

    detail: str


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Wanted(_Asked):
    """The image that is meant, where it is one; the page's may be over when the wish arrives."""

    item: int | None = None


class Answered(_Asked):
    """Whether what was asked for is done; if not, it is refused."""

    done: bool
