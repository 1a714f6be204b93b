"""Does an ONNX file keep its weights inside itself?

ONNX lets a tensor live in another file, and ONNX Runtime follows such a path even for a model loaded from
bytes (seen in 1.31: relative to the working directory). The digest of the model would then say nothing about
its weights. The device has no `onnx` package, so this walks the protobuf itself, along the few fields of
onnx.proto (IR 3 to 13) that lead to tensors, and skips all else unread.
"""

from collections.abc import Iterator
from typing import Final

# message -> field number -> message; onnx.proto names them ModelProto.graph = 7, GraphProto.node = 1, ...
_FIELDS: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of TensorProto; location 1 is EXTERNAL
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def has_external_data(model: bytes) -> bool:
    """Tell whether any tensor of an ONNX model points out of the file.

    Raises:
        ValueError: if the bytes are no protobuf message.
    """
    return _points_outside(memoryview(model), "model")


def _points_outside(message: memoryview, kind: str) -> bool:
    for field, value in _fields(message):
        if kind == "tensor":
            if field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value == 1):
                return True
        elif (inner := _FIELDS[kind].get(field)) is not None:
            if not isinstance(value, memoryview):
                raise ValueError(f"not an ONNX model: field {field} of {kind} is no message")
            if _points_outside(value, inner):
                return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yield (field number, value) of one message; a length-delimited value is a view, not a copy."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        wire, size = key & 7, 0
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
