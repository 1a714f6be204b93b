"""Arrays are unpacked only where their sizes are known and small, and only by what numpy writes."""

import io
import struct
import zipfile

import numpy as np
import pytest

from edge.npz import read_arrays

ARRAYS = {
    "bytes": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
    "floats": np.linspace(0, 1, 5, dtype=np.float32),
    "whole": np.array([[-(2**31), 2**31 - 1]], np.int32),
}


def saved(save=np.savez, **arrays) -> bytes:
    written = io.BytesIO()
    save(written, **arrays)
    return written.getvalue()


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return written.getvalue()


def header(shape: str, descr: str = "'|u1'", order: str = "False") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_read(save):
    arrays = ARRAYS | {"fortran": np.asfortranarray(ARRAYS["bytes"]), "none": np.empty((0, 3), np.uint8)}
    found = read_arrays(saved(save, **arrays), arrays, 10_000)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_what_is_packed_small_and_unpacks_large_is_refused_before_it_is_unpacked():
    bomb = saved(np.savez_compressed, bytes=np.zeros(50_000_000, np.uint8))
    assert len(bomb) < 100_000
    with pytest.raises(ValueError, match=r"it unpacks to 50000\d\d\d bytes, at most 1000000"):
        read_arrays(bomb, ["bytes"], 1_000_000)


@pytest.mark.parametrize(
    "member",
    [
        header("(1, 1, 10000000, 10000000)"),
        header("(25,)") + bytes(24),
        header("(23,)") + bytes(24),
        header("(-24,)") + bytes(24),
        header("(True, 24)") + bytes(24),
        header("(24.0,)") + bytes(24),
        header("(24,)", "'|O'") + bytes(24),
        header("(3,)", "'<f8'") + bytes(24),
        header("(6,)", "'>f4'") + bytes(24),
        header("(24,)", "[('a', '|u1')]") + bytes(24),
        header("(24,)", order="3") + bytes(24),
        header("(24,)")[:20],
        header(f"({'1, ' * 60}24)") + bytes(24),
        header("(" * 3000),
        b"\x93NUMPY\x02\x00" + bytes(80),
        b"\x80\x04N.",
        b"",
    ],
)
def test_headers_that_numpy_would_not_write_are_refused(member):
    with pytest.raises(ValueError, match=r"'bytes\.npy'"):
        read_arrays(archive({"bytes.npy": member}), ["bytes"], 1_000_000)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (saved(**ARRAYS, odd=np.zeros(1, np.uint8)), "it holds"),
        (archive({"../bytes.npy": header("(1,)") + b"x"}), "it holds"),
        (archive({"bytes.npy": header("(1,)") + b"x", "bytes": b"x"}), "it holds"),
        (archive({f"{k}.npy": b"" for k in range(5_000)}), "its directory has"),
        (archive({"bytes.npy": header("(1,)") + b"x"}, zipfile.ZIP_BZIP2), "packed as numpy packs nothing"),
        (saved(**ARRAYS)[:-2] + b"\x01\x00!", "no archive as numpy writes them"),
        (saved(**ARRAYS) + b"!", "no archive as numpy writes them"),
        (b"", "no archive as numpy writes them"),
        (b"\x93NUMPY\x01\x00", "no archive as numpy writes them"),
    ],
)
def test_archives_that_numpy_would_not_write_are_refused(data, said):
    with pytest.raises(ValueError, match=said):
        read_arrays(data, ARRAYS, 1_000_000)


def test_an_altered_value_is_found():
    data = bytearray(saved(**ARRAYS))
    data[data.index(ARRAYS["floats"].tobytes())] ^= 1
    with pytest.raises(zipfile.BadZipFile, match="Bad CRC-32"):
        read_arrays(bytes(data), ARRAYS, 1_000_000)
