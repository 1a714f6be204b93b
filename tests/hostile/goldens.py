"""golden.npz as an archive should not be: bombs, headers that lie, pickles, names that climb out of the folder."""

import bz2
import functools
import io
import json
import lzma
import pickle
import struct
import zipfile
import zlib
from random import Random
from typing import Any

import numpy as np

from edge.bundle import GOLDEN, MANIFEST
from tests.hostile.bases import sealed_manifest
from tests.hostile.torn import Files

_MAGIC = b"\x93NUMPY"
_SHAPES = (
    "(4, 8, 6, 3)",
    "(1, 1, 10000000, 10000000)",
    "(9223372036854775807, 2)",
    "(-4, 8, 6, 3)",
    "()",
    "(0,)",
    "(" * 50,
    "(4, 8, 6, 3.0)",
    "(True, 8, 6, 3)",
    "'x'",
    "(2**40,)",
    "(1000000000, 8, 6, 3)",
    f"({'1,' * 70})",
    "None",
)
_KINDS = ("|u1", "<f4", ">f4", "<f8", "|O", "|V1000000000", "<U100000000", "|S0", "|b1", "<i4", "<c16", "?3")
_CLIMBING = ("../", "/", "a/../../", "\x00", "C:\\")


class _Canary:
    """Leaves a file where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("canary", "w")


def headers(rng: Random, files: Files) -> Files:
    """A member's header says what its data is not."""
    shape = rng.choice(_SHAPES)
    kind = rng.choice(_KINDS)
    kind = rng.choice((f"'{kind}'", f"'{kind}'", "[('a', '<f4', (1000000, 1000000))]", "'|u1', 'more': 1", "{}"))
    header = f"{{'descr': {kind}, 'fortran_order': {rng.choice(('False', 'True', '3'))}, 'shape': {shape}, }}".encode()
    header = rng.choice((header, header, header, b"(" * 9_000, b" " * 60_000, b"[" * 300 + b"]" * 300, b"\xff" * 40))
    version = rng.choice((b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x09"))
    length = struct.pack("<H", len(header)) if version[0] == 1 else struct.pack("<I", len(header))
    length = rng.choice((length, length, length, b"\xff" * len(length)))
    body = _MAGIC + version + length + header + bytes(rng.choice((0, 576, 48)))
    members = _members(files)
    members[rng.choice(list(members))] = body
    return _zipped(rng, files, members)


def arrays(rng: Random, files: Files) -> Files:
    """Arrays of another kind, size or number, or with values that are none."""
    with np.load(io.BytesIO(files[GOLDEN])) as read:
        found = {name: read[name] for name in read.files}
    name = rng.choice(list(found))
    array = found[name]
    odd = {
        "kind": lambda: array.astype(rng.choice((np.float64, np.int64, np.uint8, bool, np.complex64, ">f4", ">i4"))),
        "value": lambda: _with_value(rng, array),
        "rows": lambda: array[: rng.randrange(len(array))],
        "many": lambda: np.tile(array, (2_000, *[1] * (array.ndim - 1))),
        "shape": lambda: rng.choice((array.ravel(), array[None], array[..., None], array.T, array[0])),
        "scale": lambda: (array * 1.01).astype(array.dtype),
        "order": lambda: np.asfortranarray(array),
    }
    kind = rng.choice(("gone", "more", "more", *odd))
    if kind == "gone":
        del found[name]
    elif kind == "more":
        found[rng.choice(("extra", "pick", "file", "../frames", "/etc/passwd", "frames\n", "x" * 5_000))] = array
    else:
        found[name] = odd[kind]()
    return files | {GOLDEN: _saved(found, packed=rng.random() < 0.3)}


def many_rows(rng: Random, files: Files) -> Files:
    """All arrays agree, and there are thousands of frames, well packed."""
    times = rng.choice((30, 50_000))
    with np.load(io.BytesIO(files[GOLDEN])) as read:
        found = {name: np.tile(read[name], (times, *[1] * (read[name].ndim - 1))) for name in read.files}
    return files | {GOLDEN: _saved(found, packed=True)}


def bombs(rng: Random, files: Files) -> Files:
    """A few megabytes that become gigabytes; perhaps the manifest agrees with them."""
    content = json.loads(files[MANIFEST])
    shape = (4, 8, 6, 3)
    if rng.random() < 0.6:
        shape = (rng.choice((10, 21, 100)), 8192, 8192, 3)
        content["input"] = {"height": 8192, "width": 8192}
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    name = rng.choice(("frames.npy", "frames.npy", "other.npy", "other.txt"))
    packed, size = _zeros(header.getvalue(), rng.choice((2, 4)) << 30)
    members = [(member, data, None) for member, data in _members(files).items() if member != name]
    data = _raw_zip([(name, packed, size), *members])
    return files | {GOLDEN: data, MANIFEST: sealed_manifest(content)}


def archives(rng: Random, files: Files) -> Files:
    """Archives of other kinds, or with members of strange names, numbers and methods."""
    members = _members(files)
    one = rng.choice(list(members))
    made = {
        "names": lambda: _zip({rng.choice(_CLIMBING) + name: data for name, data in members.items()}),
        "many": lambda: _zip(members | {f"{k}.npy": b"" for k in range(20_000)}),
        "twice": lambda: _raw_zip([(name, data, None) for name, data in [*members.items(), (one, members[one][:-1])]]),
        "nested": lambda: _zip({one: files[GOLDEN]} | {k: v for k, v in members.items() if k != one}),
        "bzip2": lambda: _zip(members, zipfile.ZIP_BZIP2),
        "lzma": lambda: _zip(members, zipfile.ZIP_LZMA),
        "prefix": lambda: b"#!/bin/sh\n" * 100 + files[GOLDEN],
        "comment": lambda: files[GOLDEN][:-2] + b"\x05\x00hello",
        "array": lambda: members["frames.npy"],
        "pickle": lambda: pickle.dumps(_Canary()),
        "pickled member": lambda: _zip(members | {one: _object_array()}),
        "encrypted": lambda: _with_flag(files[GOLDEN], 1),
        "gz": lambda: zlib.compress(files[GOLDEN]),
        "xz": lambda: lzma.compress(files[GOLDEN]),
        "bz2": lambda: bz2.compress(files[GOLDEN]),
        "empty": lambda: _zip({}),
        "no suffix": lambda: _zip({name.removesuffix(".npy"): data for name, data in members.items()}),
    }
    return files | {GOLDEN: made[rng.choice(list(made))]()}


def entries(rng: Random, files: Files) -> Files:
    """Numbers of the archive's own directory are others: sizes, places, methods, counts."""
    data = bytearray(files[GOLDEN])
    marks = [at for mark in (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06") for at in _all(data, mark)]
    at = rng.choice(marks) + rng.randrange(4, 44)
    size = rng.choice((1, 2, 4))
    value = rng.choice((0, 1, 2, 0x7FFFFFFF, 0xFFFFFFFF, rng.getrandbits(32)))
    data[at : at + size] = value.to_bytes(4, "little")[:size]
    return files | {GOLDEN: bytes(data)}


def _object_array() -> bytes:
    written = io.BytesIO()
    np.save(written, np.array([_Canary()], object), allow_pickle=True)
    return written.getvalue()


def _with_value(rng: Random, array: np.ndarray) -> np.ndarray:
    changed = array.copy()
    if array.dtype.kind == "f":
        odd: tuple[float, ...] = (np.nan, np.inf, -np.inf, 3e38)
    else:
        odd = (np.iinfo(array.dtype).max, np.iinfo(array.dtype).min)
    changed[tuple(rng.randrange(length) for length in array.shape)] = rng.choice(odd)
    return changed


def _members(files: Files) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(files[GOLDEN])) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _saved(found: dict[str, Any], *, packed: bool) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, array in found.items():
            with archive.open(name + ".npy", "w") as member:
                np.lib.format.write_array(member, np.asarray(array))
    return written.getvalue()


def _zipped(rng: Random, files: Files, members: dict[str, bytes]) -> Files:
    return files | {GOLDEN: _zip(members, rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))}


def _zip(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", method) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.filename = name  # a NUL too, which the constructor cuts off
            archive.writestr(info, data, method)
    return written.getvalue()


def _raw_zip(members: list[tuple[str, bytes, int | None]]) -> bytes:
    """Return an archive of members that are stored, or, where a size is given, were deflated to it already."""
    body, directory = b"", b""
    for name, data, size in members:
        method, crc, title = (0, zlib.crc32(data), name.encode()) if size is None else (8, 0, name.encode())
        sizes = struct.pack("<III", crc, len(data), min(len(data) if size is None else size, 0xFFFFFFFE))
        common = struct.pack("<HHHHH", 20, 0, method, 0, 33) + sizes + struct.pack("<HH", len(title), 0)
        directory += b"PK\x01\x02\x14\x00" + common + struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + title
        body += b"PK\x03\x04" + common + title + data
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    return body + directory + b"PK\x05\x06" + end


@functools.cache
def _zeros(first: bytes, size: int) -> tuple[bytes, int]:
    """Return (deflated, size): `first`, and zeros up to about `size`, made without ever holding them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = packer.compress(first) + packer.flush(zlib.Z_FULL_FLUSH)
    block = 1 << 20
    packed = packer.compress(bytes(block)) + packer.flush(zlib.Z_FULL_FLUSH)
    count = size // block
    return start + packed * count + b"\x03\x00", len(first) + count * block


def _with_flag(data: bytes, flag: int) -> bytes:
    changed = bytearray(data)
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        for at in _all(data, mark):
            changed[at + offset] |= flag
    return bytes(changed)


def _all(data: bytes | bytearray, mark: bytes) -> list[int]:
    found, at = [], data.find(mark)
    while at >= 0:
        found.append(at)
        at = data.find(mark, at + 1)
    return found


CHANGES = (headers, headers, headers, arrays, arrays, many_rows, bombs, archives, archives, entries, entries)
