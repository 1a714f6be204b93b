"""Files and folders that are there whole or not at all, whatever is killed in between."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from natadv.errors import DataError, ResourceError

PART_SUFFIX = ".part"


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


def file_error(path: Path, error: OSError) -> ResourceError | DataError:
    """Return our error for an `OSError` met while writing `path`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceError(f"{path}: the disk is full; free some space and resume")
    return DataError(f"{path}: cannot be written ({error.strerror or error})")
