"""What no run on golden frames would show is refused before there is one."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.bundle import read_bundle
from edge.onnx_parts import parts
from edge.operators import forbidden
from natadv.errors import BundleError
from tests.hostile.wire import key, message, number, odd_key
from tests.tiny_bundle import tiny_model, write_tiny_bundle


def told(model: onnx.ModelProto | bytes, opset: int = 18) -> str | None:
    return forbidden(model if isinstance(model, bytes) else model.SerializeToString(), opset)


def with_node(node: onnx.NodeProto) -> onnx.ModelProto:
    model = tiny_model()
    model.graph.node.append(node)
    return model


def test_an_exported_model_does_nothing_forbidden():
    assert told(tiny_model()) is None
    model = tiny_model()
    for node in model.graph.node:
        node.domain = "ai.onnx"  # another name of the same
    assert told(model) is None


def test_chance_is_forbidden():
    assert (
        told(with_node(helper.make_node("RandomNormal", [], ["x"], shape=[1]))) == "draws random numbers (RandomNormal)"
    )
    assert told(with_node(helper.make_node("Dropout", ["logits", "", "on"], ["x"]))) == "draws random numbers (Dropout)"
    assert told(with_node(helper.make_node("Dropout", ["logits"], ["x"]))) is None


def test_operators_of_others_are_forbidden():
    node = helper.make_node("Gelu", ["logits"], ["x"], domain="com.microsoft")
    assert told(with_node(node)) == "uses Gelu of 'com.microsoft', which is not ONNX's own"
    twice = node.SerializeToString() + message(7, b"")  # a reader takes the last of the two domains
    model = tiny_model()
    data = model.SerializeToString() + message(7, message(1, twice))
    assert told(data) == "uses Gelu of 'com.microsoft', which is not ONNX's own"


def test_branches_functions_and_trainings_are_forbidden():
    info = helper.make_tensor_value_info("c", TensorProto.FLOAT, [1])
    branch = helper.make_graph([helper.make_node("Identity", ["logits"], ["c"])], "g", [], [info])
    node = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    assert told(with_node(node)) == "branches or loops"
    model = tiny_model()
    opsets = [helper.make_opsetid("", 18)]
    model.functions.append(
        helper.make_function("ours", "f", ["a"], ["b"], [helper.make_node("Neg", ["a"], ["b"])], opsets)
    )
    assert told(model) == "has functions of its own"
    model = tiny_model()
    model.training_info.add()
    assert told(model) == "has graphs for a training"


def test_the_opset_is_the_manifests():
    assert told(tiny_model(opset=19)) == "has opset 19, its manifest says 18"
    assert told(tiny_model(opset=19), 19) is None
    model = tiny_model()
    model.opset_import.append(helper.make_opsetid("ai.onnx", 21))
    assert "its manifest says 18" in told(model)
    del model.opset_import[:]
    assert told(model) == "has opset none, its manifest says 18"
    model.opset_import.extend([helper.make_opsetid("", 18), helper.make_opsetid("unused", 1)])
    assert told(model) is None


@pytest.mark.parametrize(
    "more",
    [
        odd_key(7, 2) + number(0),
        b"\x80\x00",
        b"\x02\x00",
        b"\xba\x80\x80\x80\x00\x00",
        key(7, 3) + key(7, 4),
        key(7, 2) + number(2**40),
        key(7, 0) + b"\xff" * 11,
    ],
    ids=["33 bits", "no number", "number 0", "too long a key", "a group", "cut off", "eleven bytes"],
)
def test_fields_that_no_writer_writes_are_no_model(more):
    with pytest.raises(ValueError, match="not an ONNX model"):
        told(tiny_model().SerializeToString() + more)


def test_graphs_in_graphs_need_no_deep_stack():
    inner = b""
    for _ in range(3_000):
        inner = message(1, message(5, message(6, inner)))
    assert sum(kind == "graph" for kind, _ in parts(message(7, inner))) == 3_001


def test_millions_of_fields_are_no_model(monkeypatch):
    monkeypatch.setattr("edge.onnx_parts._MOST_FIELDS", 1_000)
    assert told(tiny_model()) is None
    model = tiny_model()
    many = numpy_helper.from_array(np.zeros(1, np.float32), "many")
    model.graph.initializer.extend([many] * 500)
    with pytest.raises(ValueError, match="more than 1000 fields"):
        told(model)


def test_a_bundle_may_not_hold_such_a_model(tmp_path):
    chance = with_node(helper.make_node("RandomUniform", [], ["x"], shape=[1])).SerializeToString()
    with pytest.raises(
        BundleError, match=r"model\.onnx draws random numbers \(RandomUniform\); such a model is not run"
    ):
        write_tiny_bundle(tmp_path / "bundle", model=chance)
    read_bundle(write_tiny_bundle(tmp_path / "good"))
