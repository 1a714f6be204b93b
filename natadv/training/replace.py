"""Replace a file so that a reader, or a killed process, sees the old one or the new one whole."""

from pathlib import Path

from natadv.durable import file_error, sync


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` beside `path`, wait until it is on the disk, and give it the name.

    Raises:
        ResourceError: if the disk is full.
        DataError: if the file system refuses for another reason.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(data)
        sync(part)
        part.replace(path)
        sync(path.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise file_error(path, error) from error
