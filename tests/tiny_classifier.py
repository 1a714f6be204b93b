"""An ONNX classifier small enough to reason about: a picture's colour is the one whose channel is brightest on average.

Its convolution looks at 3x3 places, so that it has a map to ask for; its classes are blue, green, red.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LABELS = ("blue", "green", "red")


def write_tiny_classifier(path: Path, *, side: int = 16, sharpness: float = 40.0, blur: float = 0.0) -> Path:
    """Write it for pictures of `side` px; logits are averages times `sharpness`, `blur` mixes the colours."""
    kernel = np.zeros((3, 3, 3, 3), np.float32)
    for channel, colour in enumerate((2, 1, 0)):
        kernel[channel, :, 1, 1] = blur
        kernel[channel, colour, 1, 1] = 1
        kernel[channel, colour, 0, 0] = blur
    weights = {"kernel": kernel, "matrix": (sharpness * np.eye(3)).astype(np.float32)}
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["features"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["features"], ["rectified"]),
        helper.make_node("GlobalAveragePool", ["rectified"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "matrix"], ["logits"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, side, side])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path
