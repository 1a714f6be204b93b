"""A torch classifier as one self-contained ONNX file."""

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from typing import Final

import onnx
import onnxslim
import torch

from edge.bundle import MODEL
from edge.manifest import INPUT, OPSETS, labels_to_json
from edge.operators import RANDOM, forbidden
from edge.selfcontained import has_external_data
from export.graph import DeployedClassifier
from natadv.errors import BundleError

OPSET: Final = OPSETS.start


def to_onnx(
    deployed: DeployedClassifier,
    *,
    labels: tuple[str, ...],
    input_size: tuple[int, int],
    metadata: Mapping[str, str] | None = None,
    opset: int = OPSET,
) -> bytes:
    """Export a deployed classifier.

    Args:
        deployed: what to export; it is used in eval mode.
        labels: one per logit.
        input_size: (height, width) of the input.
        metadata: further entries of the file's `metadata_props`.
        opset: of the result, 18 to 20.

    Returns:
        The bytes of `model.onnx`: inputs `frames` uint8 (n, h, w, 3) with any n and those of `deployed.noise`, outputs
        `probabilities` and `logits`, float32 (n, classes), and what else `deployed.outputs` names, float32 (n,).

    Raises:
        ValueError: if the opset is another.
        BundleError: if the model cannot be exported, draws random numbers, or has not one logit per label.
    """
    if opset not in OPSETS:
        raise ValueError(f"expected an opset of {OPSETS.start} to {OPSETS.stop - 1}, got {opset}")
    deployed = deployed.eval()
    # A batch of 1 would be taken for a constant, and a size that is the model's own.
    given_size = input_size if deployed.resize is None else (input_size[0] + 5, input_size[1] + 9)
    frames = torch.zeros((2, *given_size, 3), dtype=torch.uint8)
    shapes = deployed.noise.shapes if deployed.noise else {}
    chance = {name: torch.zeros((2, *shape), dtype=torch.int32) for name, shape in shapes.items()}
    with torch.no_grad():
        logits = deployed(frames, **chance)[1]
    if logits.shape != (2, len(labels)):
        raise BundleError(f"the model gives {tuple(logits.shape)[1:]} logits for {len(labels)} labels")
    rows = torch.export.Dim("n", min=1)
    dimensions = {name: {0: rows} for name in deployed.inputs}
    if deployed.resize is not None:
        dimensions[INPUT] |= {1: torch.export.Dim("height", min=1), 2: torch.export.Dim("width", min=1)}
    try:
        with _quiet():
            program = torch.onnx.export(
                deployed,
                (frames,),
                kwargs=chance,
                input_names=list(deployed.inputs),
                output_names=list(deployed.outputs),
                dynamo=True,
                opset_version=opset,
                dynamic_shapes=dimensions,
                verbose=False,
            )
            if program is None:
                raise BundleError("torch gave no ONNX program")
            model = onnxslim.slim(program.model_proto)
    except (RuntimeError, torch.onnx.OnnxExporterError) as error:
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise BundleError(f"torch cannot export this model: {first}") from error
    height, width = input_size
    described = {**(metadata or {}), "labels": labels_to_json(labels), "imgsz": json.dumps([height, width])}
    if deployed.noise is not None:
        described["noise"] = deployed.noise.model_dump_json()
    _describe(model, described)
    return _checked(model)


def _describe(model: onnx.ModelProto, metadata: Mapping[str, str]) -> None:
    names = dict(enumerate(json.loads(metadata["labels"])))
    model.ClearField("metadata_props")
    # `names` and `imgsz` are where other runtimes look for the same.
    for key, value in sorted({**metadata, "names": repr(names)}.items()):
        model.metadata_props.add(key=key, value=value)


def _checked(model: onnx.ModelProto) -> bytes:
    """Serialise a model that passed all checks of what a bundle may hold."""
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise BundleError(f"the exported graph is not valid ONNX: {str(error).splitlines()[0]}") from error
    drawn = sorted(random_operators(model))
    if drawn:
        raise BundleError(
            f"the exported graph draws random numbers ({', '.join(drawn)}); make them an input of the model"
        )
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset not in OPSETS:
        raise BundleError(f"the exported graph has opset {opset}, expected {OPSETS.start} to {OPSETS.stop - 1}")
    data: bytes = model.SerializeToString()
    if has_external_data(data):
        raise BundleError(f"the exported graph keeps weights outside {MODEL}")
    if (problem := forbidden(data, opset)) is not None:
        raise BundleError(f"the exported graph {problem}; no device would run it")
    return data


def random_operators(model: onnx.ModelProto) -> set[str]:
    """Return the operators of a model, in branches and functions too, that draw random numbers."""
    nodes = list(_nodes(model.graph))
    for function in model.functions:
        nodes += list(_nodes(function))
    return {node.op_type for node in nodes if node.op_type in RANDOM or _drops_out(node)}


def _nodes(graph: onnx.GraphProto | onnx.FunctionProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def _drops_out(node: onnx.NodeProto) -> bool:
    """Whether a node is a Dropout in training mode, its third input."""
    return node.op_type == "Dropout" and len(node.input) > 2 and bool(node.input[2])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporters' chatter off the screen; their errors still rise."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "onnxslim")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        # Deprecations inside torch and onnxscript, which nobody here can mend.
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
