"""Does an ONNX file keep its weights inside itself?

ONNX lets a tensor live in another file, and ONNX Runtime follows such a path even for a model loaded from
bytes (seen in 1.31: relative to the working directory). The digest of the model would then say nothing about
its weights.
"""

from edge.onnx_parts import parts

_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of TensorProto
_EXTERNAL = 1


def has_external_data(model: bytes) -> bool:
    """Tell whether any tensor of an ONNX model points out of the file.

    Raises:
        ValueError: if the bytes are no ONNX model.
    """
    return any(
        number == _EXTERNAL_DATA or (number == _DATA_LOCATION and isinstance(value, int) and value % 2**32 == _EXTERNAL)
        for kind, found in parts(model)
        if kind == "tensor"
        for number, value in found
    )
