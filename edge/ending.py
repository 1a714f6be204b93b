"""Ending: a run that is asked to end by the system, or whose listeners have gone."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

_FLUSH_S: Final = 1.0


@contextlib.contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set instead of ending the process; the second one ends it."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, _: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def forget_unwritten() -> None:
    """Let Python's last flush of standard output meet no closed pipe, no full disk, and no pipe that nobody empties.

    That was said already.
    """
    flush = threading.Thread(target=_flush, name="flush", daemon=True)
    flush.start()
    flush.join(_FLUSH_S)
    if flush.is_alive():  # the stream's lock is held by whoever waits for the pipe: leave both alone
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115  # for the rest of the process


def _flush() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
