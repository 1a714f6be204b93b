"""Reception: whether a live source gives pictures, since when, and why not."""

import threading
import time
from datetime import datetime

import numpy as np

from edge.events import EventLog
from natadv.images import Image

_STEP = 8  # every eighth pixel of every eighth row tells most frames apart


class Reception:
    """The state of a source's signal, told by its reader and by whoever waits for a frame.

    Attributes:
        last_frame_s: monotonic time of the last good frame; None before the first.
        reason: why there is no signal; None while there is one, and before the first frame.
        since: when it was lost last, by the calendar.
        outages: how often it was lost.
    """

    def __init__(self, events: EventLog) -> None:
        self.last_frame_s: float | None = None
        self.reason: str | None = None
        self.since: datetime | None = None
        self.outages = 0
        self._events = events
        self._lock = threading.Lock()
        self._since_s = time.monotonic()

    @property
    def begun(self) -> bool:
        """Whether there was any frame so far."""
        return self.last_frame_s is not None

    def good(self) -> None:
        """Say that a frame came."""
        self.last_frame_s = time.monotonic()
        if self.reason is not None:
            with self._lock:
                self.reason = None
                self._events.add("signal", f"frames again, after {time.monotonic() - self._since_s:.1f} s")

    def lost(self, reason: str) -> None:
        """Say that no frames come; said once for an outage, with its first reason."""
        with self._lock:
            if self.reason is None and self.begun:
                self.outages += 1
                event = self._events.add("no-signal", reason)
                self.since, self._since_s = event.at, event.monotonic_s
                self.reason = reason


class DeadFrames:
    """Finds the frames of a camera that is there but sees nothing: one colour all over, or the last frame once more.

    A sensor has noise, so no two of its frames are the same in every pixel; a driver whose device is gone gives such.
    """

    def __init__(self) -> None:
        self._last: Image | None = None

    def problem(self, image: Image) -> str | None:
        """Say what is wrong with a frame, uint8 (h, w, 3); None: nothing. It is kept for the next, not copied."""
        last, self._last = self._last, image
        some = image[::_STEP, ::_STEP]
        if (some == some[0, 0]).all() and (image == image[0, 0]).all():
            colour = ", ".join(str(value) for value in image[0, 0])
            return f"the camera's frames are of one colour (RGB {colour})"
        if last is None or last.shape != image.shape or not np.array_equal(some, last[::_STEP, ::_STEP]):
            return None
        return "the camera gives the same frame again and again" if np.array_equal(image, last) else None
