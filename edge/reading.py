"""Read some files of a folder as they were together, and nothing that is not a file.

A bundle is replaced as a whole folder (`natadv.durable.exchange_folders`), perhaps just now. So the folder is opened
first, and its files are opened from there, all before one is read: what comes is of one folder. A file that is gone
by then belonged to a folder that was replaced and deleted, and the new one is read instead.

Folder and files may be links, as deployments use (`current -> v3`). But a pipe, a device or a folder in a file's
place is not opened: it might make the reader wait, read for ever, or do something.
"""

import os
import stat
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final

from natadv.errors import BundleError, ResourceError

_TRIES: Final = 100  # a folder that is replaced more often while three files are opened is no bundle's


def read_together(folder: Path, most_bytes: Mapping[str, int]) -> dict[str, bytes]:
    """Return the bytes of files by name, all of one folder, each read once.

    Args:
        folder: where they are.
        most_bytes: the files' names, and how many bytes each may have at most, so that none takes the whole memory.

    Raises:
        FileNotFoundError: if the folder is there and one of the files is not; its `filename` is the name of that.
        BundleError: if there is no such folder, or a file is no file, too large, or cannot be read.
        ResourceError: if it does not fit into the memory.
    """
    for _ in range(_TRIES):
        with ExitStack() as opened:
            try:
                place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError as error:
                raise BundleError(
                    f"{folder}: no such bundle ({error.strerror}); expected a folder made by `natadv export`"
                ) from error
            opened.callback(os.close, place)
            try:
                files = {name: opened.enter_context(_open(folder / name, place)) for name in most_bytes}
            except FileNotFoundError:
                if _is_still(folder, place):
                    raise
                continue
            return {name: _read(folder / name, file, most_bytes[name]) for name, file in files.items()}
    raise BundleError(f"{folder}: is replaced again and again; stop whatever writes it")


def _open(path: Path, place: int) -> BinaryIO:
    def by_name(name: str, flags: int) -> int:
        # Opening a device may do something by itself, so it is looked at before.
        if stat.S_ISREG(os.stat(name, dir_fd=place).st_mode):
            return os.open(name, flags | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place)
        raise BundleError(f"{path}: is not a file; copy it again, or export again")

    try:
        file = open(path.name, "rb", opener=by_name)  # noqa: SIM115  # the caller closes it
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); copy it again, or export again") from error
    return file


def _read(path: Path, file: BinaryIO, most_bytes: int) -> bytes:
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):  # exchanged since it was looked at
        raise BundleError(f"{path}: is not a file; copy it again, or export again")
    if status.st_size > most_bytes:
        raise BundleError(
            f"{path}: has {status.st_size} bytes, at most {most_bytes} are read; copy it again, or export again"
        )
    if not status.st_size:
        return b""  # without reading: in /proc an empty file may be endless
    try:
        data = file.read(status.st_size + 1)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); copy it again, or export again") from error
    except MemoryError as error:
        raise ResourceError(f"{path}: its {status.st_size} bytes do not fit into this machine's memory") from error
    if data is None or len(data) != status.st_size:
        raise BundleError(f"{path}: changes while it is read; write it aside, then read it again")
    return data


def _is_still(folder: Path, place: int) -> bool:
    """Whether an open folder is the one that has its name now."""
    try:
        return os.path.samestat(folder.stat(), os.fstat(place))
    except OSError:  # it has no name any more
        return False
