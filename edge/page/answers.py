"""What the page's interfaces answer and take, as JSON."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.page.timings import Timings

Kind = Literal["waiting", "live", "alarm", "silent", "no-signal", "stuck"]


class Guess(BaseModel):
    """A class and how probable it is, 0..1."""

    label: str
    probability: float


class Now(BaseModel):
    """The newest prediction.

    Attributes:
        at: when it was published.
        index: of its frame, in the order of the source.
        top: the most probable classes, the first is the prediction.
        steady: the label that held last.
        score: the detector's, that the frame is adversarial, 0..1.
        disagreement: between a randomised model's draws, 0..1.
        truth: what the frame shows, where the source knows.
        age_ms: of the frame when this was published.
        fps: predictions a second, of late.
    """

    at: datetime
    index: int
    top: list[Guess]
    steady: str | None
    score: float | None
    disagreement: float | None
    truth: str | None
    age_ms: float
    fps: float


class Counts(BaseModel):
    """How much there was of what since the start; `edge.summary` says what is what."""

    seen: int
    predicted: int
    skipped: int
    lost: int
    dead: int
    outages: int
    restarts: int
    swaps: int


class State(BaseModel):
    """A run at one moment.

    Attributes:
        run: another one after each start of the program.
        at: this moment, by the device's clock.
        kind: waiting (no frame yet), live, alarm, silent (no new prediction of late, or of old frames alone),
            no-signal, or stuck (the model does not answer). Of the last three `now` is old news.
        reason: of silent, no-signal and stuck, in words.
        since: when alarm, silent, no-signal or stuck began.
        signs: of trouble, of the newest prediction.
        now: the newest prediction.
        model: counts the models put in place, so that a change is seen.
        evidence: clips of evidence that were announced, so that a new one is seen.
    """

    run: str
    at: datetime
    kind: Kind
    reason: str | None
    since: datetime | None
    signs: list[str]
    now: Now | None
    counts: Counts
    timings: Timings | None
    model: int
    evidence: int
    elapsed_s: float


class Happened(BaseModel):
    """An event; `id` is that of the stream of events."""

    id: str
    kind: str
    text: str
    at: datetime


class SecondSaid(BaseModel):
    """What was said in one second: the steady label, the mean confidence, whether there was an alarm."""

    at: int
    label: str | None
    confidence: float
    alarm: bool
    count: int


class History(BaseModel):
    """The last minutes: seconds that had predictions, and events."""

    seconds: list[SecondSaid]
    events: list[Happened]


class Accuracy(BaseModel):
    """A share of images answered right, 0..1, with a 95 % interval where the number of images is known."""

    value: float
    low: float | None
    high: float | None
    images: int | None
    data: str | None


class ModelInfo(BaseModel):
    """The model in use.

    Attributes:
        bundle: the name of its folder.
        name: the architecture.
        card: whether the bundle has a model card, at /card.
        bundles: that may be put in its place by POST /api/model.
    """

    bundle: str
    described: str
    name: str | None
    labels: list[str]
    height_px: int
    width_px: int
    precision: str | None
    sha256: str | None
    created: datetime | None
    draws: int | None
    accuracy: Accuracy | None
    card: bool
    bundles: list[str]


class ShownPart(BaseModel):
    """What a person said that a part of a clip shows; in seconds from the clip's first frame."""

    label: str
    from_s: float
    to_s: float


class Clip(BaseModel):
    """A clip of evidence; `pictures` of it are at /api/evidence/NAME/0.jpg and so on.

    Attributes:
        labels: that it may be given: those of the model that ran then.
        damaged: why the parts that were labelled apart cannot be told; null: they can.
    """

    name: str
    at: datetime
    signs: list[str]
    said: str
    label: str | None
    frames: int
    seconds: float
    pictures: int
    labels: list[str]
    parts: list[ShownPart]
    damaged: str | None


class Said(BaseModel):
    """That something was done, or why not."""

    detail: str


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WantedBundle(_Asked):
    """The bundle to be put in place: a name in the folder that `--bundles` gives."""

    bundle: Annotated[str, Field(min_length=1, max_length=255)]


class GivenLabel(_Asked):
    """What a person says that a clip shows: one of its labels; with a beginning or an end, that part of it."""

    label: Annotated[str, Field(min_length=1, max_length=1000)]
    from_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    to_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
