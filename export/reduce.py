"""Reduced precision: an exported model in half precision, or with 8-bit weights and activations.

What a device gains hangs on it: half precision is for GPUs; 8 bits are for CPUs with integer dot products, and for
TensorRT. What a model loses is for `export.judgement` to measure before anything is written.
"""

import contextlib
import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import onnx
from numpy.typing import NDArray

from edge.manifest import INPUT, SCORE
from export.casts import join_casts
from natadv.errors import BundleError

Precision = Literal["fp32", "fp16", "int8"]
PRECISIONS: tuple[str, ...] = get_args(Precision)
Part = Literal["all", "classifier", "rain"]
"""What is reduced; the rest stays as it is."""

_WEIGHTY = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_SCOPES: Mapping[Part, str] = {"classifier": "classifier.", "rain": "rain."}


def to_fp16(model_bytes: bytes, *, part: Part = "all") -> bytes:
    """Return a model that computes in half precision, with the inputs and outputs that it had.

    Whole numbers stay whole numbers, so RAIN picks the very same pixels. What resizes frames of any size stays in full
    precision: half precision knows no half pixel from the 1024th on. So does the detector of adversarial examples: its
    threshold is of the scores that it gave in full precision, and it looks at single levels.

    Args:
        model_bytes: the exported model.
        part: what to reduce. The classifier begins with the first of its convolutions and products.

    Raises:
        ValueError: if there is no such part.
        BundleError: if the part has no weights, or the model cannot be converted.
    """
    from onnxruntime.transformers.float16 import convert_float_to_float16  # noqa: PLC0415  # takes a second

    if part not in get_args(Part):
        raise ValueError(f"expected a part of {', '.join(get_args(Part))}, got {part!r}")
    model = onnx.load_from_string(model_bytes)
    _weights_of(model, part)
    kept = {*resizing_nodes(model), *scoring_nodes(model), *_other_nodes(model, part)}
    try:
        with _quiet():
            half: onnx.ModelProto = convert_float_to_float16(model, keep_io_types=True, node_block_list=sorted(kept))
            join_casts(half)
    except (ValueError, RuntimeError) as error:
        raise BundleError(f"the model cannot be converted to half precision: {_first_line(error)}") from error
    return bytes(half.SerializeToString())


def to_int8(
    model_bytes: bytes,
    calibration: Sequence[Mapping[str, NDArray[Any]]],
    *,
    part: Part = "all",
    symmetric: bool = False,
) -> bytes:
    """Return a model whose convolutions and products have 8-bit weights and activations, as QDQ nodes.

    A detector of adversarial examples stays as it is, see `to_fp16`.

    Args:
        model_bytes: the exported model.
        calibration: inputs by name, a batch each: real images, from whose activations the ranges are taken.
        part: what to reduce.
        symmetric: activations around zero, as TensorRT wants them; else unsigned, which CPUs multiply faster. The
            weights have 7 bits in either: CPUs without VNNI add two products in 16 bits, where 8 would overflow.

    Raises:
        ValueError: if there is no such part, or nothing to calibrate on.
        BundleError: if the part has no weights, or the model cannot be quantised.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static  # noqa: PLC0415  # as above

    if part not in get_args(Part) or not calibration:
        raise ValueError(f"expected a part of {', '.join(get_args(Part))} and calibration data, got {part!r}")
    model = onnx.load_from_string(model_bytes)
    nodes = _weights_of(model, part)

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        def __init__(self) -> None:
            self._left = iter(calibration)

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            feed = next(self._left, None)
            return None if feed is None else dict(feed)

    try:
        with _quiet(), tempfile.TemporaryDirectory() as scratch:
            written = Path(scratch) / "model.onnx"
            quantize_static(
                model,
                written,
                Reader(),
                activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                reduce_range=True,
                nodes_to_quantize=nodes,
                extra_options={"ActivationSymmetric": symmetric},
            )
            reduced = onnx.load(written)
    except (ValueError, RuntimeError, onnx.checker.ValidationError) as error:
        raise BundleError(f"the model cannot be quantised: {_first_line(error)}") from error
    # What the model says of itself was lost on the way.
    reduced.ClearField("metadata_props")
    reduced.metadata_props.extend(model.metadata_props)
    return bytes(reduced.SerializeToString())


def weighty_nodes(model: onnx.ModelProto, part: Part) -> list[str]:
    """Return the names of a part's convolutions and matrix products with weights, by the names of these."""
    weights = {weight.name for weight in model.graph.initializer}
    scope, kept = _SCOPES.get(part, ""), set(scoring_nodes(model))
    return [
        node.name
        for node in model.graph.node
        if node.op_type in _WEIGHTY
        and node.name not in kept
        and any(name in weights and name.startswith(scope) for name in node.input)
    ]


def _weights_of(model: onnx.ModelProto, part: Part) -> list[str]:
    nodes = weighty_nodes(model, part)
    if not nodes:
        raise BundleError(f"the model has nothing to reduce in its part {part!r}")
    return nodes


def _other_nodes(model: onnx.ModelProto, part: Part) -> set[str]:
    """Return the names of all nodes that are not of a part; the classifier is what its weights take part in."""
    if part == "all":
        return set()
    found, made = set(weighty_nodes(model, "classifier")), set[str]()
    for node in model.graph.node:  # in the order in which they compute
        if node.name in found or made.intersection(node.input):
            found.add(node.name)
            made.update(node.output)
    return found if part == "rain" else {node.name for node in model.graph.node} - found


def resizing_nodes(model: onnx.ModelProto) -> list[str]:
    """Return the names of the nodes that resize frames of any size: all before their rounding; none for one size."""
    (frames,) = (value for value in model.graph.input if value.name == INPUT)
    rows = frames.type.tensor_type.shape.dim[1]
    if rows.HasField("dim_value"):
        return []
    # `export.resize.Resize` comes first in the graph, and ends so.
    return _up_to(model, [node.output[0] for node in model.graph.node if node.op_type == "Round"][:1])


def scoring_nodes(model: onnx.ModelProto) -> list[str]:
    """Return the names of the nodes that the detector's score hangs on; none where there is no detector."""
    return _up_to(model, [output.name for output in model.graph.output if output.name == SCORE])


def _up_to(model: onnx.ModelProto, names: Iterable[str]) -> list[str]:
    """Return the names of the nodes that make these values, and of all before them."""
    made_by = {name: node for node in model.graph.node for name in node.output}
    left = [made_by[name] for name in names]
    found: dict[str, None] = {}
    while left:
        node = left.pop()
        if node.name not in found:
            found[node.name] = None
            left.extend(made_by[name] for name in node.input if name in made_by)
    return list(found)


def activations_in(model_bytes: bytes) -> set[str]:
    """Return the precisions that a model's tensors have, for a look at what was made: "fp32", "fp16", "int8"."""
    model = onnx.load_from_string(model_bytes)
    kinds = {weight.data_type for weight in model.graph.initializer}
    names = {onnx.TensorProto.FLOAT: "fp32", onnx.TensorProto.FLOAT16: "fp16", onnx.TensorProto.INT8: "int8"}
    return {names[kind] for kind in kinds if kind in names}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the tools' advice off the screen; their errors still rise."""
    root = logging.getLogger()
    before, numbers = root.level, np.geterr()
    root.setLevel(logging.ERROR)
    np.seterr(all="ignore")
    try:
        yield
    finally:
        root.setLevel(before)
        np.seterr(**numbers)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
