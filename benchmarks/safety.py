"""Whether a plate moved, or a valve was open, when neither may: watched from outside, at the controller itself."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rigs.firmware.truth import Truth

_EVERY_S = 0.02
# rigs/loopback.yaml: 60 mm/s at 400 mm/s² and 120°/s at 900°/s² are braked in 0.15 s, and the drivers add 0.3 s.
BRAKES_S = 0.75
# With no way to reach the controller, a move that was begun ends by itself, and so does a valve's pulse. The longest is
# a whole turn at 120 degrees a second.
COASTS_S = 3.3
_HEARD_S = 0.1


@dataclass(frozen=True)
class _Seen:
    at_s: float
    moving: bool
    open: bool


class Safety:
    """Watches a stand-in, as a context manager; times are those of `time.time`.

    Attributes:
        coasted_s: by what had happened, how long something moved or was open at the most.
    """

    def __init__(self, truth: Path) -> None:
        self._truth = truth
        self._seen: list[_Seen] = []
        self._windows: list[tuple[float, float, bool, str]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="safety")
        self.coasted_s: dict[str, float] = {}

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._ended.set()
        self._thread.join()

    def check(self, at_s: float, wait_s: float, why: str, *, reached: bool) -> None:
        """Demand rest after a moment at which the devices were let go, for as long as nobody opens them again.

        Args:
            at_s: when; soon after it all must rest.
            wait_s: until they are opened again at the earliest.
            why: in words.
            reached: whether the controller could be told to stop; else what it does ends by itself.
        """
        self._windows.append((at_s, at_s + wait_s, reached, why))

    def findings(self) -> list[str]:
        """Return what was wrong in the windows so far, in words, and forget them."""
        time.sleep(2 * _EVERY_S)
        seen, windows = self._seen, self._windows
        self._seen, self._windows = [], []
        return [words for window in windows for words in self._look(seen, *window)]

    def _look(self, seen: list[_Seen], begin_s: float, end_s: float, reached: bool, why: str) -> list[str]:
        within = [one for one in seen if begin_s + _HEARD_S <= one.at_s < end_s - _HEARD_S]
        moved = [one.at_s - begin_s for one in within if one.moving]
        opened = [one.at_s - begin_s for one in within if one.open]
        self.coasted_s[why] = round(max([self.coasted_s.get(why, 0.0), *moved, *opened]), 2)
        late_s = BRAKES_S if reached else COASTS_S
        return [
            f"{what} {max(times):.2f} s after: {why}"
            for what, times in (("the plate moves", moved), ("a valve is open", opened))
            if times and max(times) > late_s
        ]

    def _watch(self) -> None:
        with Truth(self._truth) as truth:
            while not self._ended.wait(_EVERY_S):
                self._seen.append(_Seen(time.time(), truth.moving, bool(truth.coolant)))
