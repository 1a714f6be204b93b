"""What is exported is the torch model, whole, in one file; or nothing is written."""

import contextlib
import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from edge.selfcontained import has_external_data
from export.graph import DeployedClassifier
from export.onnx import random_operators, to_onnx
from export.parity import compare
from natadv.defenses.rain import Rain
from natadv.errors import BundleError
from natadv.models.classifier import create_classifier
from natadv.models.denoising import Denoising
from natadv.models.super_resolution.create import create_super_resolution

LABELS = ("a", "b", "ç", "d", "e")
SIZE = (20, 24)


class Net(nn.Module):
    """Small, but with a running statistic and a branch that behave otherwise in training."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1))
        self.convolution = nn.Conv2d(3, 8, 3, stride=2)
        self.norm = nn.BatchNorm2d(8)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(8, len(LABELS))

    def forward(self, batch: Tensor) -> Tensor:
        features = torch.relu(self.norm(self.convolution(batch - self.mean)))
        return self.head(self.dropout(features.mean((2, 3))))


class Noisy(Net):
    def forward(self, batch: Tensor) -> Tensor:
        return super().forward(batch + 0.1 * torch.rand_like(batch))


class Frozen(Net):
    """Draws with numpy, which an export turns into a constant."""

    def forward(self, batch: Tensor) -> Tensor:
        return super().forward(batch + float(np.random.default_rng().random()))


def net(kind: type[Net] = Net) -> Net:
    torch.manual_seed(7)
    model = kind()
    with torch.no_grad():  # logits of the size that a trained model has
        model.head.weight *= 30
        model.norm.running_mean += 0.1
    return model


def frames(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, *SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def model() -> Net:
    return net().train()  # as training leaves it: exporting must take care


@pytest.fixture(scope="module")
def exported(model: Net, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("export")
    with contextlib.chdir(folder):
        data = to_onnx(DeployedClassifier(model), labels=LABELS, input_size=SIZE, metadata={"model_name": "net"})
    assert list(folder.iterdir()) == []  # neither weights nor reports lie about
    return data


@pytest.mark.parametrize("count", [1, 3, 17])
def test_it_answers_as_the_original_for_any_batch(model: Net, exported: bytes, count: int) -> None:
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    probabilities, logits = session.run(["probabilities", "logits"], {"frames": frames(count)})
    with torch.no_grad():
        batch = torch.from_numpy(frames(count)).permute(0, 3, 1, 2).float() / 255
        expected = model.eval()(batch)
    assert np.abs(logits).max() > 1
    np.testing.assert_allclose(logits, expected.numpy(), atol=2e-5)
    np.testing.assert_allclose(probabilities, torch.softmax(expected, 1).numpy(), atol=2e-5)


def test_the_file_is_as_a_bundle_needs_it(exported: bytes) -> None:
    model = onnx.load_from_string(exported)
    onnx.checker.check_model(model, full_check=True)
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [18]
    assert not has_external_data(exported)
    assert random_operators(model) == set()
    (taken,) = model.graph.input
    assert taken.name == "frames"
    assert taken.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    dims = taken.type.tensor_type.shape.dim
    assert [dim.dim_value for dim in dims[1:]] == [*SIZE, 3]
    assert dims[0].dim_param
    assert [output.name for output in model.graph.output] == ["probabilities", "logits"]
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata["labels"]) == list(LABELS)
    assert json.loads(metadata["imgsz"]) == list(SIZE)
    assert metadata["names"] == "{0: 'a', 1: 'b', 2: 'ç', 3: 'd', 4: 'e'}"
    assert metadata["model_name"] == "net"
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}  # slimmed


@pytest.mark.parametrize("opset", [17, 21])
def test_other_opsets_are_refused(opset: int) -> None:
    with pytest.raises(ValueError, match="expected an opset of 18 to 20"):
        to_onnx(DeployedClassifier(net()), labels=LABELS, input_size=SIZE, opset=opset)


def test_an_original_that_was_changed_since_is_noticed(exported: bytes) -> None:
    changed = net()
    batches = [frames(4), frames(3)]
    parity = compare(DeployedClassifier(changed), exported, batches).parity
    assert parity.images == 7
    assert parity.max_difference < 1e-4
    with torch.no_grad():
        changed.head.bias[2] += 0.01
    with pytest.raises(BundleError, match=r"differs from the torch model by 0\.01 on 7 images"):
        compare(DeployedClassifier(changed), exported, batches)
    assert compare(DeployedClassifier(changed), exported, batches, tolerance=0.02).parity.tolerance == 0.02


def test_a_model_that_gives_no_numbers_is_noticed(exported: bytes) -> None:
    broken = net()
    with torch.no_grad():
        broken.head.bias[0] = torch.nan
    with pytest.raises(BundleError, match="differs from the torch model by inf"):
        compare(DeployedClassifier(broken), exported, [frames(2)])


def test_comparing_on_nothing_proves_nothing(exported: bytes) -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        compare(DeployedClassifier(net()), exported, [])


def test_random_numbers_in_the_graph_are_refused() -> None:
    with pytest.raises(BundleError, match="draws random numbers"):
        to_onnx(DeployedClassifier(net(Noisy)), labels=LABELS, input_size=SIZE)


def test_random_numbers_that_were_frozen_are_refused() -> None:
    model = net(Frozen)
    data = to_onnx(DeployedClassifier(model), labels=LABELS, input_size=SIZE)
    with pytest.raises(BundleError, match="differently each time"):
        compare(DeployedClassifier(model), data, [frames(2)])


def test_random_operators_are_found_in_branches_and_functions() -> None:
    draw = onnx.helper.make_node("RandomNormal", [], ["r"], shape=[1])
    value = onnx.helper.make_tensor_value_info("r", onnx.TensorProto.FLOAT, [1])
    branch = onnx.helper.make_graph([draw], "branch", [], [value])
    choice = onnx.helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    training = onnx.helper.make_node("Dropout", ["x", "", "t"], ["y"])
    for node in (choice, training):
        assert random_operators(onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [])))
    function = onnx.helper.make_model(onnx.helper.make_graph([], "g", [], []))
    opsets = [onnx.helper.make_opsetid("", 18)]
    function.functions.append(onnx.helper.make_function("d", "f", [], ["r"], [draw], opsets))
    assert random_operators(function) == {"RandomNormal"}


def test_labels_must_be_as_many_as_logits() -> None:
    with pytest.raises(BundleError, match=r"\(5,\) logits for 2 labels"):
        to_onnx(DeployedClassifier(net()), labels=("a", "b"), input_size=SIZE)


def test_what_torch_cannot_export_is_one_line() -> None:
    class Untraceable(Net):
        def forward(self, batch: Tensor) -> Tensor:
            logits = super().forward(batch)
            return logits if float(logits.sum()) > 0 else -logits

    with pytest.raises(BundleError, match="cannot export") as caught:
        to_onnx(DeployedClassifier(net(Untraceable)), labels=LABELS, input_size=SIZE)
    assert "\n" not in str(caught.value)


def test_the_deployed_graph_takes_bytes() -> None:
    probabilities, logits = DeployedClassifier(net()).eval()(torch.from_numpy(frames(2)))
    assert probabilities.shape == logits.shape == (2, len(LABELS))
    assert (probabilities.dtype, logits.dtype) == (torch.float32, torch.float32)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(2))


def test_feature_denoising_behind_the_papers_super_resolution_answers_as_the_original() -> None:
    torch.manual_seed(3)
    classifier = create_classifier("natadv_slim_denoised", LABELS, (16, 16))
    blocks = [block for block in classifier.modules() if isinstance(block, Denoising)]
    for block in blocks:  # a new one begins at zero, and changes nothing
        torch.nn.init.constant_(block.norm.weight, 5.0)
    rain = Rain(create_super_resolution("edsr:4x2").eval(), share=0.3)
    deployed = DeployedClassifier(classifier, rain=rain, input_size=(16, 16))
    data = to_onnx(deployed, labels=LABELS, input_size=(16, 16))
    seen = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)
    found = compare(deployed, data, [seen[:1], seen[1:]], tolerance=1e-4)
    for block in blocks:
        torch.nn.init.zeros_(block.norm.weight)
    with pytest.raises(BundleError, match="differs from the torch model"):
        compare(deployed, data, [seen], tolerance=1e-4)
    assert np.abs(found.logits).max() > 0.01
