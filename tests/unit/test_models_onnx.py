"""Classifiers from ONNX files: the same numbers as ONNX Runtime, gradients, features, clear refusals."""

import hashlib

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from natadv.errors import DataError
from natadv.images import read_image
from natadv.models.features import onnx_features
from natadv.models.onnx_classifier import load_onnx_classifier


def _save(path, *, kind=TensorProto.FLOAT, batch="n", last="Gemm", outputs=1):
    """A tiny classifier of 12x16 pictures: 6 features, 4 classes."""
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(6, 3, 3, 3)), "v": rng.normal(size=(6, 4)), "u": rng.normal(size=4)}
    nodes = [
        helper.make_node("Conv", ["image", "w"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("GlobalAveragePool", ["b"], ["c"]),
        helper.make_node("Flatten", ["c"], ["d"]),
        helper.make_node(last, ["d", "v", "u"] if last == "Gemm" else ["d"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", kind, [batch, 3, 12, 16])],
        [helper.make_tensor_value_info(name, kind, [batch, None]) for name in ("logits", "d")[:outputs]],
        [numpy_helper.from_array(weight.astype(np.float32), name) for name, weight in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path


def _runtime(path, batch):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: batch.numpy()})[0])


def test_the_numbers_are_onnx_runtimes(tmp_path):
    path = _save(tmp_path / "tiny.onnx")
    model = load_onnx_classifier(path)
    batch = torch.rand(5, 3, 12, 16, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(model(batch), _runtime(path, batch), atol=1e-5)
    assert (model.name, model.input_size, model.classes, model.num_features) == ("tiny.onnx", (12, 16), 4, 6)
    assert not model.training


def test_features_are_what_the_last_layer_takes(tmp_path):
    model = load_onnx_classifier(_save(tmp_path / "tiny.onnx"))
    batch = torch.rand(5, 3, 12, 16)
    gemm = next(module for module in model.network.modules() if isinstance(module, torch.nn.Linear))
    assert torch.allclose(gemm(model.features(batch)), model(batch), atol=1e-6)


def test_gradients_reach_the_picture_and_no_weight_wants_one(tmp_path):
    model = load_onnx_classifier(_save(tmp_path / "tiny.onnx"))
    batch = torch.rand(2, 3, 30, 20, requires_grad=True)
    model(batch)[:, 1].sum().backward()
    assert (batch.grad != 0).any(3).all()
    assert not any(weight.requires_grad for weight in model.parameters())


def test_any_size_is_averaged_down(tmp_path):
    model = load_onnx_classifier(_save(tmp_path / "tiny.onnx"))
    flat = torch.rand(1, 3, 1, 1)
    assert torch.allclose(model(flat.expand(1, 3, 50, 70)), model(flat.expand(1, 3, 12, 16)), atol=1e-5)
    checks = (torch.arange(120)[:, None] + torch.arange(160)).remainder(2).float().expand(1, 3, -1, -1)
    assert torch.allclose(model(checks), model(torch.full((1, 3, 12, 16), 0.5)), atol=0.02)


def test_an_extractor_takes_both_kinds_of_batches_and_names_itself(tmp_path):
    path = _save(tmp_path / "tiny.onnx")
    extractor = onnx_features(path)
    assert extractor.name == f"tiny.onnx penultimate, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
    assert extractor.num_features == 6
    batch = torch.randint(0, 256, (3, 3, 12, 16), dtype=torch.uint8)
    assert torch.equal(extractor(batch), extractor(batch.float() / 255))
    assert extractor(batch).shape == (3, 6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": TensorProto.FLOAT16}, "takes float16"),
        ({"batch": 1}, "with n free"),
        ({"outputs": 2}, "1 inputs and 2 outputs"),
        ({"last": "Hardmax"}, "cannot convert"),
    ],
)
def test_other_networks_are_refused(tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        load_onnx_classifier(_save(tmp_path / "tiny.onnx", **change))


def test_what_is_no_model_is_refused(tmp_path):
    (tmp_path / "torn.onnx").write_bytes(_save(tmp_path / "tiny.onnx").read_bytes()[:-100])
    for name in ("torn.onnx", "none.onnx"):
        with pytest.raises(DataError, match=f"{name}: not a readable ONNX model"):
            load_onnx_classifier(tmp_path / name)


@pytest.mark.shared
def test_a_real_mobilenet_gives_onnx_runtimes_logits_and_knows_a_cat(shared):
    folder = shared / "models" / "imagenet"
    model = load_onnx_classifier(folder / "mobilenet_v2_224.onnx")
    assert (model.classes, model.num_features) == (1001, 1280)
    batch = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    ours, theirs = model(batch), _runtime(folder / "mobilenet_v2_224.onnx", batch)
    assert (ours - theirs).abs().max() < 1e-3 * theirs.abs().max()
    cat = torch.from_numpy(read_image(folder / "cat_720p.jpg")).permute(2, 0, 1)[None].float() / 255
    assert "cat" in (folder / "imagenet_labels.txt").read_text().splitlines()[int(model(cat).argmax())]


@pytest.mark.shared
def test_a_half_precision_network_is_refused(shared):
    with pytest.raises(DataError, match="takes float16"):
        load_onnx_classifier(shared / "models" / "imagenet" / "SqueezeNet_fp16.onnx")
