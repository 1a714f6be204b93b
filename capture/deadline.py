"""Deadline: what takes longer than it may, as a rig that is opened or closed by a library that hangs, is told."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from rigs.rig import Rig


class Deadline:
    """Calls somebody, once, from a thread of its own, unless it is called off in time."""

    def __init__(self, words: str, limit_s: float | None, on_late: Callable[[str], None]) -> None:
        """Prepare; `words` say what is late, and None sets no limit."""
        self._words, self._limit_s, self._on_late = words, limit_s, on_late
        self._off = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to count."""
        if self._limit_s is not None:
            self._thread = threading.Thread(target=self._count, args=(self._limit_s,), daemon=True, name="deadline")
            self._thread.start()

    def call_off(self) -> None:
        """Count no more; where it is late already, return when that has been dealt with."""
        self._off.set()
        if self._thread is not None:
            self._thread.join()

    def _count(self, limit_s: float) -> None:
        began_s = time.monotonic()
        if not self._off.wait(limit_s):
            self._on_late(f"{self._words} for {time.monotonic() - began_s:.0f} s")


@contextmanager
def opened_in_time(
    open_rig: Callable[[], AbstractContextManager[Rig]], limit_s: float | None, on_stuck: Callable[[str], None]
) -> Iterator[Rig]:
    """Open a rig, and close it in the end, each within `limit_s` seconds of the machine's clock, or tell `on_stuck`."""
    opening = Deadline("rig: a device does not open", limit_s, on_stuck)
    closing = Deadline("rig: a device does not close", limit_s, on_stuck)
    with ExitStack() as stack:
        stack.callback(closing.call_off)
        opening.start()
        try:
            rig = stack.enter_context(open_rig())
        finally:
            opening.call_off()
        stack.callback(closing.start)
        yield rig
