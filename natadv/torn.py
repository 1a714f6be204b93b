"""Is an image file whole? OpenCV decodes a cut-off JPEG with grey below, and complains of a PNG on standard error."""

import struct
import zlib

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"


def whole(data: bytes) -> bool:
    """Tell whether a file's bytes are whole, as far as its format lets one see that; other formats pass."""
    if data.startswith(_PNG):
        return _whole_png(data)
    if data.startswith(_JPEG):
        # Within compressed data 0xFF is always followed by 0 (ISO 10918-1, B.1.1.5).
        return data.rfind(_JPEG_END) > 0
    return bool(data)


def _whole_png(data: bytes) -> bool:
    """Walk the chunks, each with its checksum, to the last (PNG specification, third edition, Sec. 5.3)."""
    at = len(_PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, body_end = data[at + 4 : at + 8], at + 8 + length
        if body_end + 4 > len(data):
            return False
        (expected,) = struct.unpack_from(">I", data, body_end)
        if zlib.crc32(memoryview(data)[at + 4 : body_end]) != expected:
            return False
        if kind == b"IEND":
            return True
        at = body_end + 4
    return False
