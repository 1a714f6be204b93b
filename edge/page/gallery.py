"""Gallery: clips of evidence as the page shows them; whoever keeps them fits this."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

PICTURES: Final = 6  # as many as `edge.evidence` keeps


@dataclass(frozen=True, slots=True)
class Part:
    """What a person says that a part of a clip shows, from and to in seconds from its first frame."""

    label: str
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class EvidenceClip:
    """The seconds around an alarm.

    Attributes:
        name: of the clip, unique.
        at: when the alarm began.
        signs: what it began with, see `edge.alarm`.
        said: the label that the model gave then.
        label: what a person says it shows; None: nobody said of it as a whole.
        frames: that it holds.
        seconds: that it lasts.
        labels: that the model of then knows: what it may be said to show.
        parts: of it that a person labelled apart, in order.
        damaged: why they cannot be told, in one line; None: they can.
    """

    name: str
    at: datetime
    signs: tuple[str, ...]
    said: str
    label: str | None
    frames: int
    seconds: float
    labels: tuple[str, ...]
    parts: tuple[Part, ...] = ()
    damaged: str | None = None


class Gallery(Protocol):
    """Clips that were kept. All of it may be called from any thread."""

    def clips(self) -> list[EvidenceClip]:
        """Return all, the newest first."""
        ...

    def picture(self, name: str, place: int) -> bytes | None:
        """Return one of `PICTURES` frames spread evenly over a clip, as JPEG; None: there is no such."""
        ...

    def label(self, name: str, label: str, *, from_s: float | None = None, to_s: float | None = None) -> None:
        """Keep what a person says that a clip shows, or a part of it: one of the clip's labels.

        Raises:
            NatadvError: if there is no such clip or part, or it cannot be kept.
        """
        ...
