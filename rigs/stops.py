"""Stops: what an emergency stop reaches while a rig is being opened, when its devices are nobody's yet.

A stage may home when it is opened, which moves it, and nobody holds it then who could stop it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stops:
    """Ways to stop what is being opened; used by drivers, and from any thread by who stops."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ways: list[Callable[[], None]] = []
        self._stopped = False

    @contextmanager
    def reaching(self, stop: Callable[[], None]) -> Iterator[None]:
        """Let an emergency stop call `stop` meanwhile; at once, if there was one already.

        Args:
            stop: brings the device to rest, and makes its opening fail. Never raises, may be called from any thread.
        """
        with self._lock:
            self._ways.append(stop)
            stopped = self._stopped
        try:
            if stopped:
                stop()
            yield
        finally:
            with self._lock:
                self._ways.remove(stop)

    def stop(self) -> None:
        """Stop whatever is being opened, and whatever is opened from now on."""
        with self._lock:
            self._stopped = True
            ways = list(self._ways)
        for way in ways:
            way()
