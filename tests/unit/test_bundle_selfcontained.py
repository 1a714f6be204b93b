"""Weights outside the model's file are found wherever a model can hide them."""

import struct
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from edge.runtime import open_cpu
from edge.selfcontained import has_external_data
from natadv.errors import BundleError
from tests.hostile.wire import key, message, number, odd_key
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


def in_odd_words(model: onnx.ModelProto) -> bytes:
    """Return a model whose external weights are told by keys of 33 bits, which protobuf's own reader cuts to 32."""
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights")
    model.graph.initializer.remove(weights)
    entry = weights.external_data[0].SerializeToString()
    weights.ClearField("external_data")
    weights.ClearField("data_location")
    tensor = weights.SerializeToString() + message(13, entry, odd=True) + odd_key(14, 0) + number(1)
    graph = model.graph.SerializeToString() + message(5, tensor)
    model.ClearField("graph")
    return model.SerializeToString() + message(7, graph)


def test_weights_outside_in_words_that_the_runtime_alone_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = in_odd_words(with_outside_weights())
    (tmp_path / "weights.bin").write_bytes(np.eye(3, dtype=np.float32).tobytes())
    monkeypatch.chdir(tmp_path)
    onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])  # it follows them
    with pytest.raises(ValueError, match="a field without a number, or with a strange one"):
        has_external_data(data)
    with pytest.raises(BundleError, match=r"model\.onnx is not an ONNX model"):
        write_tiny_bundle(tmp_path / "bundle", model=data)


def test_a_location_of_more_than_32_bits_is_one() -> None:
    model = with_outside_weights()
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights")
    model.graph.initializer.remove(weights)
    weights.ClearField("external_data")
    weights.ClearField("data_location")
    tensor = weights.SerializeToString() + key(14, 0) + number(2**32 + 1)
    graph = model.graph.SerializeToString() + message(5, tensor)
    model.ClearField("graph")
    assert has_external_data(model.SerializeToString() + message(7, graph))


def two_formats(folder: Path) -> bytes:
    """Return a file that is an empty model to whoever reads protobuf, and a whole one in ONNX Runtime's own format.

    That format is told by four letters after its first four bytes, which say where its content begins. Here they begin
    a field of protobuf that holds all the rest.
    """
    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    settings.optimized_model_filepath = str(folder / "model.ort")
    settings.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(tiny_model().SerializeToString(), settings, providers=["CPUExecutionProvider"])
    own = (folder / "model.ort").read_bytes()
    (begin,) = struct.unpack_from("<I", own)
    far = 0x040A0178  # as protobuf, lowest byte first: field 15 is 1, field 1 has the next four bytes
    assert far % 16 == begin % 16, "its content begins elsewhere; align `far` likewise"
    shift, head = far - begin, struct.pack("<I", far) + b"ORTM"
    rest = shift + len(own) - len(head)
    field = key(100, 2) + number(rest - 6)
    data = bytearray(shift + len(own))
    data[: len(head) + len(field)] = head + field
    data[shift + 8 :] = own[8:]
    return bytes(data)


def test_a_file_of_two_formats_is_the_one_that_was_looked_at(tmp_path: Path) -> None:
    data = two_formats(tmp_path)
    assert not has_external_data(data)
    onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])  # by itself it takes the other
    with pytest.raises(BundleError, match=r"cannot load the model: .*No graph was found"):
        open_cpu(onnxruntime, data, 1)


@pytest.mark.parametrize("data", [b"not protobuf at all", b"\x3a\xff\xff", tiny_model().SerializeToString()[:-5]])
def test_junk_is_no_model(data: bytes) -> None:
    with pytest.raises(ValueError, match="not an ONNX model"):
        has_external_data(data)


def test_a_bundle_may_not_hold_such_a_model(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="keeps weights in another file"):
        write_tiny_bundle(tmp_path / "bundle", model=with_outside_weights().SerializeToString())
