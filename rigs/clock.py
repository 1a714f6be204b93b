"""Clocks: ours, and one that a simulated world can run faster."""

import time
from typing import Protocol


class Clock(Protocol):
    """What a rig's time is."""

    def now_s(self) -> float:
        """Return the time in seconds from some fixed moment."""
        ...

    def sleep(self, duration_s: float) -> None:
        """Return when `duration_s` seconds have passed."""
        ...


class RealClock:
    """The machine's monotonic clock."""

    def now_s(self) -> float:
        """Return seconds since some moment before the start of the program."""
        return time.monotonic()

    def sleep(self, duration_s: float) -> None:
        """Wait."""
        time.sleep(max(0.0, duration_s))


class VirtualClock:
    """A clock that stands still until someone waits, and then is there at once."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def now_s(self) -> float:
        """Return seconds since the clock was made."""
        return self._now_s

    def sleep(self, duration_s: float) -> None:
        """Step forward."""
        self._now_s += max(0.0, duration_s)
