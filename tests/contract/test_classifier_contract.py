"""What every classifier of images must do: written once, run on each runtime that is here."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.classifier import Classifier
from edge.runtime import PROVIDERS, Device, load_runtime
from tests.tiny_bundle import BLUE, GREEN, LABELS, RED, plain, tiny_logits, write_tiny_bundle


def devices() -> list[Device]:
    """Return the devices that the installed ONNX Runtime offers; the CPU always."""
    offered = load_runtime().get_available_providers()
    gpus: list[Device] = ["cuda", "tensorrt"]
    return ["cpu", *(name for name in gpus if PROVIDERS[name] in offered)]


@pytest.fixture(scope="module", params=devices())
def classifier(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Classifier]:
    folder = write_tiny_bundle(tmp_path_factory.mktemp("contract") / "bundle")
    with Classifier(folder, device=request.param, allow_cpu=True, threads=1) as opened:
        yield opened


def noise(count: int, size: tuple[int, int] = (8, 6)) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, *size, 3), np.uint8)


def test_it_says_what_it_is(classifier: Classifier) -> None:
    assert classifier.labels == LABELS
    assert classifier.input_size == (8, 6)
    assert len(classifier.digest) == 64
    assert classifier.provider in PROVIDERS.values()


@pytest.mark.parametrize("count", [0, 1, 3, 17])
def test_probabilities_are_a_row_per_frame(classifier: Classifier, count: int) -> None:
    frames = noise(count)
    probabilities = classifier.probabilities(frames)
    assert probabilities.shape == (count, 3)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    exponentials = np.exp(tiny_logits(frames))
    np.testing.assert_allclose(probabilities, exponentials / exponentials.sum(1, keepdims=True), atol=1e-3)


def test_the_same_frames_give_the_same_answer(classifier: Classifier) -> None:
    frames = noise(9)
    np.testing.assert_array_equal(classifier.probabilities(frames), classifier.probabilities(frames.copy()))


def test_a_frame_does_not_depend_on_its_neighbours(classifier: Classifier) -> None:
    frames = noise(9)
    one_by_one = np.concatenate([classifier.probabilities(frame[None]) for frame in frames])
    np.testing.assert_allclose(classifier.probabilities(frames), one_by_one, atol=1e-6)


def test_frames_may_lie_anyhow_in_memory_and_are_left_alone(classifier: Classifier) -> None:
    frames = noise(4)
    kept = frames.copy()
    mirrored = frames[:, :, ::-1]
    np.testing.assert_array_equal(classifier.probabilities(mirrored), classifier.probabilities(mirrored.copy()))
    np.testing.assert_array_equal(frames, kept)


def test_images_of_any_size_are_predicted(classifier: Classifier) -> None:
    images = [plain(RED, (100, 31)), plain(GREEN, (3, 5)), plain(BLUE)]
    predictions = classifier.predict(images)
    assert [prediction.label for prediction in predictions] == ["red", "green", "blue"]
    assert [prediction.index for prediction in predictions] == [0, 1, 2]
    for prediction in predictions:
        assert prediction.confidence == prediction.probabilities.max() > 0.99
    assert classifier.predict([]) == []


@pytest.mark.parametrize(
    ("frames", "got"),
    [
        (noise(2).astype(np.float32), r"float32 \(2, 8, 6, 3\)"),
        (noise(2, (6, 8)), r"uint8 \(2, 6, 8, 3\)"),
        (noise(1)[0], r"uint8 \(8, 6, 3\)"),
        (noise(2).transpose(0, 3, 1, 2), r"uint8 \(2, 3, 8, 6\)"),
    ],
)
def test_frames_of_another_shape_or_type_are_refused(classifier: Classifier, frames: np.ndarray, got: str) -> None:
    with pytest.raises(ValueError, match=rf"expected frames uint8 \(n, 8, 6, 3\), got {got}"):
        classifier.probabilities(frames)


@pytest.mark.parametrize(
    "image", [np.zeros((8, 6), np.uint8), np.zeros((8, 6, 4), np.uint8), np.zeros((8, 6, 3)), noise(0)]
)
def test_what_is_no_image_is_refused(classifier: Classifier, image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected an image"):
        classifier.predict([image])


def test_closed_it_answers_no_more(tmp_path: Path) -> None:
    classifier = Classifier(write_tiny_bundle(tmp_path / "bundle"), device="cpu")
    classifier.close()
    classifier.close()
    with pytest.raises(ValueError, match="closed"):
        classifier.probabilities(noise(1))
