"""Desk: what stands around a session while it records: who may ask, who is told, and what is measured by the way."""

from dataclasses import dataclass, field
from typing import Final, Protocol

from capture.control import Control
from capture.disk import Forecast
from capture.events import Hits
from capture.journal import Journal
from capture.tap import Tap
from capture.writer import MEBIBYTE
from rigs.session import Item

MEMORY_BYTES: Final = 1024 * MEBIBYTE


class Scans(Protocol):
    """Models that look at clips as they come; see capture.live_scan."""

    def put(self, item: Item, attempt: int) -> None:
        """Have an image's clips looked at, at some time; returns at once."""
        ...

    def verdicts(self) -> list[tuple[int, int, list[Hits]]]:
        """Return (item, attempt, what each model found) of the images that all models have seen since the last call."""
        ...

    @property
    def waiting(self) -> int:
        """Images that not all models have seen; 0 where no more answers will come."""
        ...


@dataclass(slots=True)
class Desk:
    """What stands around a session.

    Attributes:
        journal: is told all that happens.
        control: what people ask.
        tap: has the newest frame.
        scans: models that look on; None: there are none.
        memory_bytes: of recorded images that may wait for the disk, see capture.writer.
        forecast: what has been learnt of the disk, through all openings of the rig.
        shown: the last images that were turned to, at most two.
    """

    journal: Journal
    control: Control = field(default_factory=Control)
    tap: Tap = field(default_factory=Tap)
    scans: Scans | None = None
    memory_bytes: int = MEMORY_BYTES
    forecast: Forecast | None = None
    shown: list[Item] = field(default_factory=list)

    def turn_to(self, item: Item) -> Item | None:
        """Note that an image is turned to; return the one shown before it, through all openings of the rig."""
        self.shown = [*(one for one in self.shown if one.number != item.number), item][-2:]
        return self.shown[0] if len(self.shown) > 1 else None
