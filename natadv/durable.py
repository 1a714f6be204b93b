"""Files and folders that are there whole or not at all, whatever is killed in between."""

import ctypes
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from natadv.errors import ConfigError, DataError, ResourceError

PART_SUFFIX = ".part"

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of Linux's fcntl.h and fs.h
_NOT_OFFERED = (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder to fill; when the block ends well it is synced and takes its final name.

    A killed process leaves at most `NAME.part`, which the next attempt replaces.

    Raises:
        ValueError: if the folder exists.
        ResourceError: if the disk is full.
        DataError: if the file system refuses for another reason.
    """
    if folder.exists():
        raise ValueError(f"{folder} exists already")
    part = folder.with_name(folder.name + PART_SUFFIX)
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        yield part
        for path in part.iterdir():
            sync(path)
        sync(part)
        part.rename(folder)
        sync(folder.parent)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if isinstance(error, OSError):
            raise file_error(folder, error) from error
        raise


def exchange_folders(one: Path, other: Path) -> None:
    """Let two folders beside each other take each other's name, and sync that.

    On Linux it is one step of the file system: whoever looks, and whatever is killed, both names are there, each a
    whole folder. Elsewhere, and on file systems that lack it (NFS, some of FUSE), it is three renames: killed after the
    first, `other` is missing and lies beside as `.NAME.old`.

    Raises:
        ResourceError: if the disk is full.
        DataError: if the file system refuses for another reason.
    """
    try:
        if not _exchanged_at_once(one, other):
            spare = other.with_name(f".{other.name}.old")
            shutil.rmtree(spare, ignore_errors=True)  # of an exchange that was killed
            other.rename(spare)
            try:
                one.rename(other)
            except BaseException:
                spare.rename(other)
                raise
            spare.rename(one)
        sync(other.parent)
    except OSError as error:
        raise file_error(other, error) from error


def _exchanged_at_once(one: Path, other: Path) -> bool:
    """Exchange two names by renameat2(2), which Python does not offer; False where the system does not either."""
    if sys.platform != "linux":
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)  # in the C library since glibc 2.28
    if rename is None:
        return False
    names = (_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other))
    if rename(*names, ctypes.c_uint(_RENAME_EXCHANGE)) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NOT_OFFERED:
        return False
    raise OSError(number, os.strerror(number), str(other))


def replace_file(path: Path, data: bytes) -> None:
    """Write a file whole: a reader, or a killed process, sees the old one or the new one.

    Raises:
        ResourceError: if the disk is full.
        DataError: if the file system refuses for another reason.
    """
    part = path.with_name(path.name + PART_SUFFIX)
    try:
        part.write_bytes(data)
        sync(part)
        part.replace(path)
        sync(path.parent)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise file_error(path, error) from error


def check_place(path: Path) -> None:
    """Refuse, before long work, a file that could not be written: no folder, or one that takes no files.

    Raises:
        ConfigError: if so.
    """
    in_the_way = path.exists() and not path.is_file()  # a folder, a device, a pipe
    if in_the_way or not path.parent.is_dir() or not _takes_files(path.parent):
        raise ConfigError(f"{path}: no file can be written there; name one in a folder that takes it")


def check_places(*places: Path | None) -> None:
    """Refuse, before long work, files that could not be written, that exist, or that are one.

    Args:
        places: of the files to come; None for one that nobody wants.

    Raises:
        ConfigError: if so.
    """
    taken = set()
    for path in places:
        if path is None:
            continue
        check_place(path)
        if path.exists():
            raise ConfigError(f"{path}: exists already; name another file, or delete it")
        if path.resolve() in taken:
            raise ConfigError(f"{path}: two outputs cannot be one file; name another")
        taken.add(path.resolve())


def check_folder(path: Path) -> None:
    """Refuse, before long work, a folder that could not be made: a file is in the way, or nobody may write there.

    Raises:
        ConfigError: if so.
    """
    there = path.absolute()
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir() or not _takes_files(there):
        raise ConfigError(f"{path}: no folder can be made there; name another")


def _takes_files(folder: Path) -> bool:
    """Ask by writing: of the superuser, permissions say yes to a file system that cannot be written at all."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def append_line(path: Path, line: str) -> None:
    """Append one line and sync it; a line that was cut off before is ended first.

    Raises:
        ResourceError: if the disk is full.
        DataError: if the file system refuses for another reason.
    """
    try:
        with path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise file_error(path, error) from error


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Let what the file system refuses meanwhile be our error for `path`.

    Raises:
        ResourceError: if the disk is full.
        DataError: if the file system refuses for another reason.
    """
    try:
        yield
    except OSError as error:
        raise file_error(path, error) from error


def file_error(path: Path, error: OSError) -> ResourceError | DataError:
    """Return our error for an `OSError` met while writing `path`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceError(f"{path}: the disk is full; free some space and resume")
    return DataError(f"{path}: cannot be written ({error.strerror or error})")
