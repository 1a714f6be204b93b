"""A lock on a file that one process holds; a killed one holds it no longer."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from natadv.durable import file_error
from natadv.errors import DataError

_TRY_S = 0.02


@contextmanager
def held(path: Path, refusal: str, *, wait_s: float = 0.4) -> Iterator[None]:
    """Hold the lock meanwhile.

    Args:
        path: the lock's file; it is made where it is missing.
        refusal: what is said where another process holds it.
        wait_s: how long another one is waited for, s; who only looks whether it is held, holds it for a moment.

    Raises:
        DataError: `refusal`, if another process holds it; or if it cannot be had at all.
    """
    with ExitStack() as opened:
        try:
            file = opened.enter_context(path.open("w"))
            for left in reversed(range(round(wait_s / _TRY_S))):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if not left:
                        raise
                    time.sleep(_TRY_S)
            if not os.fstat(file.fileno()).st_nlink:
                # Its holder removed it meanwhile: the next one makes another, and both would hold theirs.
                raise BlockingIOError
        except BlockingIOError as error:
            raise DataError(refusal) from error
        except OSError as error:
            raise file_error(path, error) from error
        yield


def is_held(path: Path) -> bool:
    """Return whether another process holds the lock at this moment."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
