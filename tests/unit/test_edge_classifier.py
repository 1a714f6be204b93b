"""A classifier runs only what its manifest describes, and only where it computes the same."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from onnx import helper, numpy_helper

from edge import reading
from edge.bundle import MODEL, Golden
from edge.classifier import Classifier
from natadv.errors import BundleError
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
