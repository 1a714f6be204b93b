"""Resizing in the graph is resizing as training does it."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from edge.classifier import Classifier
from export.checkpoint import export_classifier
from export.graph import DeployedClassifier
from export.onnx import to_onnx
from export.parity import open_cpu
from export.resize import Resize
from natadv.errors import BundleError
from natadv.images import resize
from tests.tiny_bundle import write_tiny_bundle
from tests.tiny_checkpoint import tiny_checkpoint

SIZE, LABELS = (20, 28), ("a", "b", "c")


def noise(*size: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)


def resized(frames: np.ndarray) -> np.ndarray:
    return Resize(SIZE)(torch.from_numpy(frames)).permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("size", [(20, 28), (480, 640), (21, 29), (97, 83), (40, 56), (720, 30)])
def test_shrinking_averages_as_the_library_does(size):
    frame = noise(*size)
    apart = np.abs(resized(frame[None])[0] - resize(frame, SIZE))
    # Whole levels; the library rounds halves up where both sides are halved, and to even elsewhere.
    assert apart.max() <= 1
    assert (apart > 0).mean() < (0.2 if size == (40, 56) else 0.02)


@pytest.mark.parametrize("size", [(1, 1), (10, 14), (19, 28), (8, 300), (300, 8)])
def test_growing_interpolates_as_the_library_does(size):
    frame = noise(*size)
    assert np.abs(resized(frame[None])[0] - resize(frame, SIZE)).max() <= 1  # which counts in 2048ths


class Mean(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 3)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.head(batch.mean((2, 3)))


def test_one_graph_takes_frames_of_any_size():
    deployed = DeployedClassifier(Mean().eval(), input_size=SIZE, any_size=True).eval()
    data = to_onnx(deployed, labels=LABELS, input_size=SIZE)
    sides = [side.dim_value for side in onnx.load_from_string(data).graph.input[0].type.tensor_type.shape.dim]
    assert sides == [0, 0, 0, 3]
    session = open_cpu(data)
    for size, count in (((480, 640), 1), ((20, 28), 3), ((7, 9), 2), ((33, 100), 1)):
        frames = np.stack([noise(*size)] * count)
        (found,) = session.run(["logits"], {"frames": frames})
        with torch.no_grad():
            expected = deployed(torch.from_numpy(frames))[1]
            plain = DeployedClassifier(deployed.classifier)(torch.from_numpy(resize(frames[0], SIZE)[None]))[1]
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)
        np.testing.assert_allclose(found[:1], plain.numpy(), atol=2e-3)


def test_a_bundle_of_it_runs_and_says_so(tmp_path):
    checkpoint = tiny_checkpoint(Mean().eval(), LABELS, SIZE)
    made = export_classifier(checkpoint, tmp_path / "b", any_size=True, least_images=0)
    assert made.bundle.manifest.any_size
    with Classifier(tmp_path / "b", device="cpu") as classifier:
        assert classifier.predict([noise(50, 60)])[0].label in LABELS


def test_a_manifest_that_says_otherwise_is_refused(tmp_path):
    data = to_onnx(DeployedClassifier(Mean().eval(), input_size=SIZE, any_size=True), labels=LABELS, input_size=SIZE)
    write_tiny_bundle(tmp_path / "a", LABELS, SIZE, model=data)
    with pytest.raises(BundleError, match=r"its manifest says frames uint8 \(n, 20, 28, 3\)"):
        Classifier(tmp_path / "a", device="cpu")
    write_tiny_bundle(tmp_path / "b", LABELS, SIZE, any_size=True)
    with pytest.raises(BundleError, match="its manifest says frames uint8 of any size"):
        Classifier(tmp_path / "b", device="cpu")
