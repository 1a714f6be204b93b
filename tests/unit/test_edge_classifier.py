"""A classifier runs only what its manifest describes, and only where it computes the same."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from onnx import helper, numpy_helper

from edge import reading
from edge.bundle import MODEL
from edge.classifier import Classifier
from edge.golden import Golden
from natadv.errors import BundleError, DeviceError
from tests.tiny_bundle import plain, tiny_golden, tiny_logits, tiny_model, write_tiny_bundle


def test_the_bytes_that_were_verified_are_the_bytes_that_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is exchanged right after it was read; the exchanged one must not run."""
    folder = write_tiny_bundle(tmp_path / "bundle")
    swapped = tiny_model(("blue", "red", "green")).SerializeToString()
    read = reading._read

    def read_and_swap(path: Path, file: BinaryIO, most_bytes: int) -> bytes:
        data = read(path, file, most_bytes)
        if path.name == MODEL:
            path.write_bytes(swapped)
        return data

    monkeypatch.setattr(reading, "_read", read_and_swap)
    with Classifier(folder, device="cpu") as classifier:
        assert classifier.predict([plain((255, 0, 0))])[0].label == "red"
    monkeypatch.undo()
    with pytest.raises(BundleError, match="not the bytes"):
        Classifier(folder, device="cpu")


def test_a_graph_of_another_input_size_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_bundle(tmp_path / "bundle", model=tiny_model(size=(16, 16)).SerializeToString())
    with pytest.raises(BundleError, match=r"\[16, 16, 3\].*manifest says frames uint8 \(n, 8, 6, 3\)") as caught:
        Classifier(folder, device="cpu")
    assert "\n" not in str(caught.value)


def test_a_graph_with_another_number_of_classes_is_refused(tmp_path: Path) -> None:
    model = tiny_model(("a", "b", "c", "d")).SerializeToString()
    with pytest.raises(BundleError, match=r"output probabilities.*\[4\].*expected float \(n, 3\)"):
        Classifier(write_tiny_bundle(tmp_path / "bundle", model=model), device="cpu")


def test_a_graph_with_other_labels_is_refused(tmp_path: Path) -> None:
    model = tiny_model(("blue", "green", "red")).SerializeToString()
    with pytest.raises(BundleError, match="labels are not those of the manifest"):
        Classifier(write_tiny_bundle(tmp_path / "bundle", model=model), device="cpu")


def test_a_graph_of_one_batch_size_is_refused(tmp_path: Path) -> None:
    model = tiny_model(batch=4).SerializeToString()
    with pytest.raises(BundleError, match="batches of 4 alone"):
        Classifier(write_tiny_bundle(tmp_path / "bundle", model=model), device="cpu")


def test_a_graph_that_cannot_be_loaded_is_refused(tmp_path: Path) -> None:
    model = tiny_model()
    model.graph.node.append(helper.make_node("NoSuchOperator", ["logits"], ["nothing"]))
    with pytest.raises(BundleError, match="cannot load the model") as caught:
        Classifier(write_tiny_bundle(tmp_path / "bundle", model=model.SerializeToString()), device="cpu")
    assert "\n" not in str(caught.value)


def test_golden_frames_that_come_out_otherwise_are_an_error(tmp_path: Path) -> None:
    golden = tiny_golden()
    golden.logits[2, 1] += 0.1
    with pytest.raises(BundleError, match=r"golden frames' logits differ by 0\.1 "):
        Classifier(write_tiny_bundle(tmp_path / "bundle", golden=golden), device="cpu")
    within = Golden(tiny_golden().frames, tiny_golden().logits + np.float32(1e-4))
    Classifier(write_tiny_bundle(tmp_path / "good", golden=within), device="cpu").close()


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_probabilities_that_are_not_those_of_the_logits_are_an_error(tmp_path: Path, precision: str) -> None:
    """However large the logits and however few the bits: the answer is taken from the probabilities."""
    model = tiny_model()
    softmax = next(node for node in model.graph.node if node.op_type == "Softmax")
    softmax.input[0] = "turned"
    weights = numpy_helper.from_array(np.eye(3, dtype=np.float32)[[2, 0, 1]], "turn")
    model.graph.initializer.append(weights)
    model.graph.node.insert(len(model.graph.node) - 1, helper.make_node("MatMul", ["logits", "turn"], ["turned"]))
    bright = np.zeros((4, 8, 6, 3), np.uint8)
    bright[np.arange(4), ..., np.arange(4) % 3] = 255
    golden = Golden(bright, tiny_logits(bright))
    folder = write_tiny_bundle(tmp_path / "bundle", model=model.SerializeToString(), golden=golden, precision=precision)
    with pytest.raises(BundleError, match="probabilities are not its logits' and differ"):
        Classifier(folder, device="cpu")


def test_answers_that_are_no_numbers_are_an_error(tmp_path: Path) -> None:
    """A comparison with what is no number is never true, whichever way it is asked."""
    model = tiny_model()
    bias = next(tensor for tensor in model.graph.initializer if tensor.name == "bias")
    bias.CopyFrom(numpy_helper.from_array(np.full(3, np.nan, np.float32), "bias"))
    with pytest.raises(BundleError, match=r"bundle: on its golden frames, .*gave no number for each label"):
        Classifier(write_tiny_bundle(tmp_path / "bundle", model=model.SerializeToString()), device="cpu")


def test_an_answer_for_all_frames_at_once_is_an_error(tmp_path: Path) -> None:
    """It would compare well with golden frames that are all the same."""
    model = tiny_model()
    model.graph.initializer.append(numpy_helper.from_array(np.array([0], np.int64), "first"))
    model.graph.initializer.append(numpy_helper.from_array(np.array([1], np.int64), "second"))
    mul = next(node for node in model.graph.node if node.op_type == "Mul")
    model.graph.node.insert(2, helper.make_node("Slice", ["means", "first", "second"], ["first_means"]))
    mul.input[0] = "first_means"
    frames = np.zeros((4, 8, 6, 3), np.uint8)
    golden = Golden(frames, tiny_logits(frames))
    with pytest.raises(BundleError, match="gave no number for each label of each of 4 frames"):
        Classifier(write_tiny_bundle(tmp_path / "bundle", model=model.SerializeToString(), golden=golden), device="cpu")


def test_a_picture_that_makes_no_number_ends_in_an_error(tmp_path: Path) -> None:
    """The golden frames may be answered well, and another not."""
    model = tiny_model()
    mul = next(node for node in model.graph.node if node.op_type == "Mul")
    mul.input[0] = "rooted"
    model.graph.initializer.append(numpy_helper.from_array(np.float32(250), "edge"))
    below = helper.make_node("Sub", ["edge", "means"], ["below"])
    nodes = [
        below,
        helper.make_node("Sqrt", ["below"], ["root"]),
        helper.make_node("Sub", ["root", "root"], ["nothing"]),
    ]
    nodes.append(helper.make_node("Add", ["means", "nothing"], ["rooted"]))
    for place, node in enumerate(nodes):
        model.graph.node.insert(2 + place, node)
    folder = write_tiny_bundle(tmp_path / "bundle", model=model.SerializeToString())
    with Classifier(folder, device="cpu") as classifier:
        assert classifier.predict([plain((200, 0, 0))])[0].label == "red"
        with pytest.raises(DeviceError, match="gave no number for each label"):
            classifier.predict([plain((255, 0, 0))])


def test_a_temperature_next_to_nothing_is_no_trouble(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="probabilities are not its logits' and differ"):
        Classifier(write_tiny_bundle(tmp_path / "bundle", temperature=5e-324), device="cpu")


def test_a_models_words_in_an_error_are_short_and_printable(tmp_path: Path) -> None:
    model = tiny_model()
    model.graph.input[0].name = "\x1b[2J" + "x" * 100_000
    model.graph.node[0].input[0] = model.graph.input[0].name
    with pytest.raises(BundleError, match=r"takes .*its manifest says frames") as caught:
        Classifier(write_tiny_bundle(tmp_path / "bundle", model=model.SerializeToString()), device="cpu")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000
