"""Arrays out of an .npz that a stranger may have made: what it takes is known, and bounded, before it is unpacked.

NumPy believes an array's header, which may claim terabytes, and evaluates it as Python; `zipfile` keeps an object for
every entry of a directory that may have millions, and unpacks whatever is in it. So only archives are read whose few
members are plain arrays as `numpy.savez` or `savez_compressed` write them, of the size that their header says.
"""

import io
import math
import re
import struct
import zipfile
from collections.abc import Collection
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_KINDS: Final = {b"|u1": np.uint8, b"<f4": np.float32, b"<i4": np.int32}
# NPY format 1.0, as numpy.lib.format documents it; numpy.save writes the keys in this order.
_HEADER: Final = re.compile(
    rb"\{'descr': '(\S{3})', 'fortran_order': (True|False), 'shape': \(([0-9, ]{0,99})\), \} *\n"
)
_MAGIC: Final = b"\x93NUMPY\x01\x00"
_MOST_HEADER_BYTES: Final = 4096
_MOST_DIRECTORY_BYTES: Final = 4096
_END_BYTES, _LOCATOR_BYTES = 22, 20  # of a directory's end, and of what points to a larger one (APPNOTE 4.3.15, 4.3.16)


def read_arrays(data: bytes, names: Collection[str], most_bytes: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of an archive by name.

    Args:
        data: the archive.
        names: that arrays may have; not all need be there.
        most_bytes: that all of them may take unpacked.

    Raises:
        ValueError: if it is another kind of archive, or holds something else, or more.
        zipfile.BadZipFile: if it is damaged; zlib's and `zipfile`'s other errors too.
    """
    _check_directory(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if len(members) != len(archive.infolist()) or not members.keys() <= set(names):
            raise ValueError(f"it holds {archive.namelist()}, expected arrays of {', '.join(names)}, each once")
        if (total := sum(info.file_size for info in members.values())) > most_bytes:
            raise ValueError(f"it unpacks to {total} bytes, at most {most_bytes} are taken")
        for info in members.values():
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
                raise ValueError(f"{info.filename!r} is packed as numpy packs nothing")
        return {name: _array(archive, info) for name, info in members.items()}


def _check_directory(data: bytes) -> None:
    """See that the archive's directory is short, and where `zipfile` will look for it."""
    end, locator = data[-_END_BYTES:], data[-_END_BYTES - _LOCATOR_BYTES : -_END_BYTES]
    if not end.startswith(b"PK\x05\x06") or end[-2:] != b"\0\0" or locator.startswith(b"PK\x06\x07"):
        raise ValueError("it is no archive as numpy writes them")
    (size,) = struct.unpack_from("<I", end, 12)
    if size > _MOST_DIRECTORY_BYTES:
        raise ValueError(f"its directory has {size} bytes, at most {_MOST_DIRECTORY_BYTES} are read")


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as member:
        start = member.read(len(_MAGIC) + 2)
        if start[:-2] != _MAGIC:
            raise ValueError(f"{info.filename!r} is no array as numpy writes them")
        (size,) = struct.unpack("<H", start[-2:])
        header = _HEADER.fullmatch(member.read(min(size, _MOST_HEADER_BYTES)))
        if header is None or header[1] not in _KINDS:
            raise ValueError(f"{info.filename!r} is no array of uint8, float32 or int32")
        kind = np.dtype(_KINDS[header[1]])
        shape = tuple(int(length) for length in header[3].replace(b" ", b"").split(b",") if length)
        expected = math.prod(shape) * kind.itemsize
        if len(start) + size + expected != info.file_size:
            raise ValueError(f"{info.filename!r} says that it is {shape}, which is not its size")
        # Arrays on plain bytes could not be written to, and torch warns of such.
        values = np.frombuffer(bytearray(member.read(expected + 1)), kind)
        return values.reshape(shape, order="F" if header[2] == b"True" else "C")
