"""Restart: the last help where a device's call never returns, as nothing within a process can end it.

The process is replaced by a fresh one of the same command with `--resume`: all threads and open devices of the old one
go with it, the session on the disk stays, and so does the process's number for whoever looks after it.
"""

import os
import sys
from collections.abc import Callable
from typing import Final

_COUNT: Final = "NATADV_RESTARTS"
_MOST: Final = 5


def restart(reason: str, tell: Callable[[str], None], give_up: Callable[[str], None]) -> None:
    """Replace this process by a fresh one that goes on; does not return.

    Args:
        reason: why.
        tell: told so before.
        give_up: told where that was done too often; the process then exits with 1.
    """
    done = int(os.environ.get(_COUNT, "0"))
    if done >= _MOST:
        give_up(f"{reason}; the program was started again {done} times, which did not help")
        os._exit(1)  # a plain exit would wait for the thread that hangs
    os.environ[_COUNT] = str(done + 1)
    tell(f"{reason}; the program starts again")
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, again(sys.orig_argv))


def restarted() -> bool:
    """Return whether this process goes on for one that was replaced, with nobody there who would be asked anything."""
    return _COUNT in os.environ


def again(command: list[str]) -> list[str]:
    """Return the command that goes on with the session of `command`."""
    kept = [word for word in command[1:] if word != "--retry-skipped"]
    return [sys.executable, *kept, *([] if "--resume" in kept else ["--resume"])]
