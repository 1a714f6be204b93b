"""Hanging: a disk that does not answer. A call into it cannot be ended within a process, only waited for no longer.

Time is counted in looks and not by a clock: a process that was stopped (Ctrl-Z, a debugger) and goes on does not take
its own sleep for the disk's.
"""

import math
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Final, TypeVar

from natadv.errors import ResourceError

Result = TypeVar("Result")

PATIENCE_S: Final = 120.0
"""A disk that does nothing for so long hangs; one that wakes up, or is full of others' work, does something by then."""

LOOK_S: Final = 0.25


class DiskHangsError(ResourceError):
    """The disk does not answer; who still waits for it, waits for ever."""


def disk_hangs(path: Path, patience_s: float) -> DiskHangsError:
    """Return the error of a disk that did nothing with `path` for so long."""
    return DiskHangsError(
        f"{path}: the disk has not answered for {patience_s:g} s; look at it and its cable, then go on with --resume"
    )


def in_time(path: Path, work: Callable[[], Result], patience_s: float = PATIENCE_S) -> Result:
    """Do work on a file in a thread of its own, which is left behind where it does not come to an end.

    Args:
        path: what it works on.
        work: done once; what it raises is raised.
        patience_s: how long it may take.

    Raises:
        DiskHangsError: if it takes longer.
    """
    done: Future[Result] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001  # it is raised where it is waited for
            done.set_exception(error)

    threading.Thread(target=run, daemon=True, name=f"disk {path.name}").start()
    for _ in range(math.ceil(patience_s / LOOK_S)):
        if wait([done], LOOK_S).done:
            return done.result()
    raise disk_hangs(path, patience_s)
