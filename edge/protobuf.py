"""Protobuf's wire format, as little of it as it takes to walk through an ONNX file: the device has no `onnx`.

ONNX Runtime reads the same bytes by Google's parser, which is lenient: of a key that has more than 32 bits it drops the
others. A walk that takes such a key for another field overlooks what the parser sees (tried: weights in another file,
ONNX Runtime 1.31). So keys that no writer writes are refused here.
"""

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_KEY = 2**32 - 1


def fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield (field number, value) of one message; a length-delimited value is a view, not a copy.

    Raises:
        ValueError: if the bytes are no protobuf message, or not as any writer writes one.
    """
    at = 0
    while at < len(message):
        start = at
        key, at = _varint(message, at)
        wire, size = key & 7, 0
        if not 8 <= key <= _MOST_KEY or at - start > max(1, -(-key.bit_length() // 7)):
            raise ValueError("not an ONNX model: a field without a number, or with a strange one")
        if wire == _VARINT:
            number, at = _varint(message, at)
            yield key >> 3, number
            continue
        if wire == _BYTES:
            size, at = _varint(message, at)
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(f"not an ONNX model: wire type {wire}")
        if at + size > len(message):
            raise ValueError("not an ONNX model: cut off")
        yield key >> 3, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("not an ONNX model: cut off")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
    raise ValueError("not an ONNX model: a number of more than ten bytes")
