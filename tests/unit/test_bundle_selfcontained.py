"""Weights outside the model's file are found wherever a model can hide them."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from edge.selfcontained import has_external_data
from natadv.errors import BundleError
from tests.tiny_bundle import tiny_model, write_tiny_bundle


def outside(tensor: TensorProto) -> TensorProto:
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    return tensor


def with_outside_weights() -> onnx.ModelProto:
    model = tiny_model()
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights")
    weights.ClearField("raw_data")
    outside(weights)
    return model


def test_a_whole_model_is_whole() -> None:
    assert not has_external_data(tiny_model().SerializeToString())


def test_initialisers_are_looked_at() -> None:
    assert has_external_data(with_outside_weights().SerializeToString())


def test_branches_functions_and_sparse_tensors_are_looked_at() -> None:
    hidden = outside(helper.make_tensor("w", TensorProto.FLOAT, [1], [0.0]))
    constant = helper.make_node("Constant", [], ["c"], value=hidden)
    value = helper.make_tensor_value_info("c", TensorProto.FLOAT, [1])
    branch = helper.make_graph([constant], "branch", [], [value])

    in_branch = tiny_model()
    in_branch.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch))
    in_function = tiny_model()
    opsets = [helper.make_opsetid("", 18)]
    in_function.functions.append(helper.make_function("d", "f", [], ["c"], [constant], opsets))
    sparse = tiny_model()
    sparse.graph.sparse_initializer.add().values.CopyFrom(hidden)
    for model in (in_branch, in_function, sparse):
        assert has_external_data(model.SerializeToString())


@pytest.mark.parametrize("data", [b"not protobuf at all", b"\x3a\xff\xff", tiny_model().SerializeToString()[:-5]])
def test_junk_is_no_model(data: bytes) -> None:
    with pytest.raises(ValueError, match="not an ONNX model"):
        has_external_data(data)


def test_a_bundle_may_not_hold_such_a_model(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="keeps weights in another file"):
        write_tiny_bundle(tmp_path / "bundle", model=with_outside_weights().SerializeToString())
