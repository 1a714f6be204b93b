"""What a live scan's process is asked, and answers: lines of JSON."""

from pydantic import BaseModel, ConfigDict

from capture.events import Hits


class Asked(BaseModel):
    """A line to the process: an image whose clips are complete."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    item: int
    attempt: int


class Answer(BaseModel):
    """A line of the process: that it is ready, what its models found, or why not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[str, ...] = ()
    asked: Asked | None = None
    found: tuple[Hits, ...] = ()
    error: str | None = None
