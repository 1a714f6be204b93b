"""The parts of an ONNX file that say what it computes and with which weights: nodes, attributes, tensors, functions."""

from collections.abc import Iterator
from typing import Final

from edge.protobuf import fields

Fields = list[tuple[int, memoryview | int]]

# message -> field number -> message; onnx.proto (IR 3 to 13) names them ModelProto.graph = 7, GraphProto.node = 1, ...
_INNER: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph", 8: "opset", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_MOST_FIELDS: Final = 500_000  # some seconds and 200 MB; mobilenet_v2 has 2 500


def parts(model: bytes) -> Iterator[tuple[str, Fields]]:
    """Yield the kind of each part, as "node", and its fields by number; all else of the file is skipped unread.

    Raises:
        ValueError: if the bytes are no ONNX model, or one of too many parts.
    """
    waiting = [("model", memoryview(model))]
    seen = 0
    while waiting:
        kind, message = waiting.pop()
        inner, found = _INNER.get(kind, {}), []
        for number, value in fields(message):
            seen += 1
            if seen > _MOST_FIELDS:
                raise ValueError(f"not an ONNX model that is run; it has more than {_MOST_FIELDS} fields")
            found.append((number, value))
            if (name := inner.get(number)) is not None:
                if isinstance(value, int):
                    raise ValueError(f"not an ONNX model: field {number} of {kind} is no message")
                waiting.append((name, value))
        yield kind, found
