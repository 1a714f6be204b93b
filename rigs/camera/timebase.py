"""A device's clock and counter, told in ours.

A frame reaches us some time after it was taken, never before. Of the differences between our time at arrival and the
device's stamp the smallest are therefore the true ones, but for the shortest delay that there is (Cristian 1989's
argument; PTP servos call it a minimum filter). Clocks also run at different rates, so the smallest differences of the
last minute lie on a line, not on a level: its slope is the drift, fitted once there are enough of them.
"""

from collections import deque
from itertools import pairwise
from typing import Final

_BLOCK_S: Final = 2.0  # one smallest difference is kept for each stretch of this length
_BLOCKS: Final = 30
_ENOUGH: Final = 4  # blocks, before a drift is fitted
_MOST_DRIFT: Final = 1e-3  # seconds a second that two clocks may differ by; quartz is within 1e-4


class DeviceClock:
    """Places a device's own times on ours, by the frames that came through quickest in the last minute."""

    def __init__(self) -> None:
        self._least: deque[tuple[float, float]] = deque(maxlen=_BLOCKS)  # (device's time, least difference) a block
        self._block_s = 0.0
        self._drift = 0.0

    def at(self, device_s: float, now_s: float) -> float:
        """Return when, by our clock, a frame was taken that came now.

        Args:
            device_s: when it was taken, by the device's clock.
            now_s: when it came, by ours.

        Returns:
            A time that is never later than `now_s`, and late by the shortest delay that frames have.
        """
        here_s = now_s - device_s
        if not self._least or not 0 <= device_s - self._block_s < _BLOCK_S:
            self._block_s = device_s
            self._drift = self._slope()
            self._least.append((device_s, here_s))
        elif here_s < self._least[-1][1]:
            self._least[-1] = (device_s, here_s)
        offset_s = min(least_s + self._drift * (device_s - at_s) for at_s, least_s in self._least)
        return device_s + min(offset_s, here_s)

    def _slope(self) -> float:
        """Return the slope of the line below all smallest differences that comes closest to those in their middle.

        It is asked for when a block is full, so all of them are known.
        """
        if len(self._least) < _ENOUGH:
            return 0.0
        hull: list[tuple[float, float]] = []
        for point in self._least:
            while len(hull) > 1 and _rises(hull[-2], hull[-1]) >= _rises(hull[-2], point):
                hull.pop()
            hull.append(point)
        middle_s = (self._least[0][0] + self._least[-1][0]) / 2
        edges = [(a, b) for a, b in pairwise(hull) if b[0] >= middle_s]
        return max(-_MOST_DRIFT, min(_MOST_DRIFT, _rises(*edges[0])))


def _rises(a: tuple[float, float], b: tuple[float, float]) -> float:
    return (b[1] - a[1]) / (b[0] - a[0])


class FrameCounter:
    """A device's frame counter that may begin anywhere and wrap, as one that begins at 0 and rises for ever."""

    def __init__(self, *, first: int = 0, last: int | None = None) -> None:
        """Name the counter's range.

        Args:
            first: what follows after `last`.
            last: the greatest it shows; None if it never wraps.
        """
        self._first = first
        self._last = last
        self._shown: int | None = None
        self._index = 0

    def index(self, shown: int) -> int:
        """Return the index of the frame that shows this count.

        Raises:
            ValueError: if the count stands still or goes back.
        """
        if self._shown is None:
            self._shown = shown
            return self._index
        step = shown - self._shown
        if step < 0 and self._last is not None:
            span = self._last - self._first + 1
            # Less than half the range back is a count that goes back; more is one that wrapped.
            step = step + span if -step > span // 2 else step
        if step <= 0:
            raise ValueError(f"counts {shown} after {self._shown}")
        self._shown = shown
        self._index += step
        return self._index
