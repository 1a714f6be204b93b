"""A real bundle of a model small enough to reason about, made without torch.

It averages each colour over the image, scales the three averages by 10 and gives logit k the average of channel
k mod 3 less k/100: a red image is class 0, a green one class 1, a blue one class 2, whatever the other classes.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge.bundle import Card, pack, write_bundle
from edge.golden import Golden
from edge.manifest import Parity, labels_to_json
from edge.provenance import Provenance, Training

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)
LABELS = ("red", "green", "blue")
ORIGIN = Provenance(
    classifier=Training(
        data="colours: 3 images", method="by hand", natadv_version="0", settings={"epochs": 0}, materials={}
    ),
    rain=None,
    git_revision=None,
)


def tiny_model(
    labels: tuple[str, ...] = LABELS, size: tuple[int, int] = (8, 6), *, batch: int | str = "n", opset: int = 18
) -> onnx.ModelProto:
    """Return the model with a bundle's inputs, outputs and metadata."""
    constants = {
        "scale": np.float32(10 / 255),
        "weights": np.stack([np.eye(3, dtype=np.float32)[k % 3] for k in range(len(labels))], axis=1),
        "bias": -np.arange(len(labels), dtype=np.float32) / 100,
        "axes": np.array([1, 2], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["frames"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["means"], keepdims=0),
        helper.make_node("Mul", ["means", "scale"], ["scaled"]),
        helper.make_node("MatMul", ["scaled", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("frames", TensorProto.UINT8, [batch, *size, 3])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, len(labels)])
            for name in ("probabilities", "logits")
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    helper.set_model_props(model, {"labels": labels_to_json(labels)})
    return model


def tiny_logits(frames: NDArray[np.uint8], labels: tuple[str, ...] = LABELS) -> NDArray[np.float32]:
    """Return what the model should say, (n, classes)."""
    means = frames.astype(np.float64).mean((1, 2)) * 10 / 255
    return np.stack([means[:, k % 3] - k / 100 for k in range(len(labels))], axis=1).astype(np.float32)


def tiny_golden(labels: tuple[str, ...] = LABELS, size: tuple[int, int] = (8, 6)) -> Golden:
    """Return golden frames with the logits they should have."""
    frames = np.random.default_rng(5).integers(0, 256, (4, *size, 3), np.uint8)
    return Golden(frames, tiny_logits(frames, labels))


def write_tiny_bundle(
    folder: Path,
    labels: tuple[str, ...] = LABELS,
    size: tuple[int, int] = (8, 6),
    *,
    model: bytes | None = None,
    golden: Golden | None = None,
    overwrite: bool = False,
    **more: Any,
) -> Path:
    """Write a bundle, by default a good one, and return its folder; `more` is for `edge.bundle.pack`."""
    facts = {
        "opset": 18,
        "model_name": "tiny",
        "checkpoint_sha256": "0" * 64,
        "parity": Parity(images=4, max_difference=0.0, tolerance=1e-3),
        "metrics": {"accuracy": 0.875},
        "accuracy_data": "colours test",
        "provenance": ORIGIN,
        "versions": {"natadv": "0"},
        "card": lambda manifest: Card(f"<p>{manifest.model_name}".encode(), f"# {manifest.model_name}".encode()),
    }
    bundle = pack(
        model if model is not None else tiny_model(labels, size).SerializeToString(),
        golden or tiny_golden(labels, size),
        labels=labels,
        input_size=size,
        **facts | more,
    )
    write_bundle(folder, bundle, overwrite=overwrite)
    return folder


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (8, 6)) -> NDArray[np.uint8]:
    """Return an image of one colour, uint8 (h, w, 3)."""
    return np.full((*size, 3), colour, np.uint8)
