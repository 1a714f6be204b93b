"""The good bundles that hostile ones are made of: the tiny one, one behind noise as RAIN's, and a stranger's.

The second has the operators of an exported RAIN model, so that their attributes and constants can be tampered with.
"""

import functools
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import ModelProto, TensorProto, helper, numpy_helper

from edge.bundle import CARD_HTML, CARD_MD, GOLDEN, MANIFEST, MODEL
from edge.golden import Golden
from edge.manifest import RainNoise, labels_to_json, sha256
from tests.tiny_bundle import LABELS, tiny_golden, write_tiny_bundle

NOISE = RainNoise(draws=1, pick=(1, 4, 3), reach=(1.0, 2.0))
NAMES = (MANIFEST, MODEL, GOLDEN, CARD_HTML, CARD_MD)
_DIGESTS = {"model_sha256": MODEL, "golden_sha256": GOLDEN, "card_html_sha256": CARD_HTML, "card_md_sha256": CARD_MD}


@functools.cache
def base(kind: str) -> Mapping[str, bytes]:
    """Return the files of a good bundle by name; `kind` is "plain", "rain" or "other"."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "bundle"
        if kind == "rain":
            model = rain_model().SerializeToString()
            write_tiny_bundle(folder, model=model, golden=_rain_golden(model), noise=NOISE)
        elif kind == "plain":
            write_tiny_bundle(folder)
        else:
            write_tiny_bundle(folder, labels=("up", "down", "left", "right"), size=(6, 8))
        files = {name: (folder / name).read_bytes() for name in NAMES}
    # Made at one fixed time, so that a seed always gives the same bytes.
    return files | {MANIFEST: sealed_manifest(json.loads(files[MANIFEST]) | {"created": "2026-01-01T00:00:00Z"})}


def sealed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return files with all digests mended, as whoever makes a bundle can; a manifest that is none stays as it is."""
    try:
        content = json.loads(files[MANIFEST])
    except (ValueError, RecursionError):
        return dict(files)
    if not isinstance(content, dict):
        return dict(files)
    for key, name in _DIGESTS.items():
        if key in content:
            content[key] = sha256(files[name])
    return {**files, MANIFEST: sealed_manifest(content)}


def sealed_manifest(content: dict) -> bytes:
    """Return a manifest with its own digest, in the way that manifests are written."""
    if "manifest_sha256" in content:
        content = content | {"manifest_sha256": ""}
        content["manifest_sha256"] = sha256(_written(content))
    return _written(content)


def _written(content: dict) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode(errors="surrogatepass")


def rain_model() -> ModelProto:
    """Return a model of 8 x 6 px that picks one of four pixels, enlarges, and looks at colours and the shift."""
    ramp = np.linspace(-1, 1, 27, dtype=np.float32)
    constants = {
        "scale": np.float32(1 / 255),
        "blocks": np.array([0, 3, 4, 2, 3, 2], np.int64),
        "fours": np.array([0, 3, 4, 3, 4], np.int64),
        "last": np.array([4], np.int64),
        "three": np.array([1, 3, 1, 1, 1], np.int64),
        "up": np.full((3, 1, 2, 2), 0.5, np.float32),
        "kernel": np.tile(ramp, 3).reshape(3, 3, 3, 3),
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64),
        "starts": np.array([0, 0], np.int64),
        "ends": np.array([8, 6], np.int64),
        "axes": np.array([2, 3], np.int64),
        "weights": np.stack([np.eye(3, dtype=np.float32)[(k + 1) % 3] for k in range(3)]),
        "bias": np.arange(3, dtype=np.float32) / 10,
        "odd": np.array(5, np.int32),
        "one": np.array([1], np.int64),
    }
    node = helper.make_node
    nodes = [
        node("Cast", ["frames"], ["floats"], to=TensorProto.FLOAT),
        node("Mul", ["floats", "scale"], ["scaled"]),
        node("Transpose", ["scaled"], ["batch"], perm=[0, 3, 1, 2]),
        node("Reshape", ["batch", "blocks"], ["parted"]),
        node("Transpose", ["parted"], ["turned"], perm=[0, 1, 2, 4, 3, 5]),
        node("Reshape", ["turned", "fours"], ["choices"]),
        node("Unsqueeze", ["pick", "last"], ["one_pick"]),
        node("Expand", ["one_pick", "three"], ["picks"]),
        node("GatherElements", ["choices", "picks"], ["picked"], axis=4),
        node("Squeeze", ["picked", "last"], ["small"]),
        node("ConvTranspose", ["small", "up"], ["large"], strides=[2, 2], group=3),
        node("Pad", ["large", "pads"], ["padded"]),
        node("Conv", ["padded", "kernel"], ["features"], pads=[1, 1, 1, 1], dilations=[1, 1]),
        node("Relu", ["features"], ["rectified"]),
        node("Slice", ["rectified", "starts", "ends", "axes"], ["cut"]),
        node("AveragePool", ["cut"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        node("ReduceMean", ["pooled", "axes"], ["means"], keepdims=0),
        node("Gemm", ["means", "weights", "bias"], ["product"], transB=1),
        node("Mod", ["shift", "odd"], ["moved"]),
        node("Cast", ["moved"], ["moves"], to=TensorProto.FLOAT),
        node("ReduceMean", ["moves", "one"], ["move"], keepdims=1),
        node("Concat", ["move", "move", "moves"], ["four"], axis=1),
        node("Slice", ["four", "one", "last", "one"], ["threefold"]),
        node("Add", ["product", "threefold"], ["logits"]),
        node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "rain",
        [
            info("frames", TensorProto.UINT8, ["n", 8, 6, 3]),
            info("pick", TensorProto.INT32, ["n", *NOISE.shapes["pick"]]),
            info("shift", TensorProto.INT32, ["n", *NOISE.shapes["shift"]]),
        ],
        [info(name, TensorProto.FLOAT, ["n", 3]) for name in ("probabilities", "logits")],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, {"labels": labels_to_json(LABELS)})
    return model


def _rain_golden(model: bytes) -> Golden:
    frames = tiny_golden().frames
    rng = np.random.default_rng(6)
    noise = {
        "pick": rng.integers(0, 4, (len(frames), *NOISE.shapes["pick"]), np.int32),
        "shift": rng.integers(-2, 3, (len(frames), *NOISE.shapes["shift"]), np.int32),
    }
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"frames": frames, **noise})
    return Golden(frames, logits, noise)
