"""From a checkpoint to a bundle: export, compare, measure, write."""

import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle, Golden, check_name, pack, write_bundle
from edge.manifest import INPUT
from export.frames import batches, noise_frames, pick, targets_in
from export.onnx import OPSET, to_onnx
from export.parity import TOLERANCE, compare, open_cpu
from natadv.data.dataset import Dataset
from natadv.evaluation.rates import Rate
from natadv.training.checkpoint import LoadedClassifier

GOLDEN_COUNT: Final = 8
PARITY_COUNT: Final = 256
_BATCH: Final = 64
_PACKAGES: Final = ("natadv", "torch", "timm", "onnx", "onnxscript", "onnxslim", "onnxruntime", "numpy")


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle that was made, and the exported model's accuracy where data was given."""

    bundle: Bundle
    accuracy: Rate | None


def export_classifier(
    loaded: LoadedClassifier,
    folder: Path,
    *,
    dataset: Dataset | None = None,
    opset: int = OPSET,
    tolerance: float = TOLERANCE,
    overwrite: bool = False,
) -> Exported:
    """Write a classifier as a bundle, unless the exported model answers differently from the original.

    The golden frames and the comparison use images of `dataset` where it is given; the comparison also uses
    noise, and the whole data set measures the accuracy of the exported model.

    Args:
        loaded: the classifier with its labels and input size.
        folder: name of the bundle.
        dataset: its labels must be among the classifier's.
        opset: of the model, 18 to 20.
        tolerance: largest difference of a logit that passes.
        overwrite: replace a bundle of that name.

    Raises:
        BundleError: if it cannot be exported, or differs from the original.
        ConfigError: if the data has a label that the model lacks, or the name is taken.
        ResourceError: if the disk is full.
    """
    check_name(folder, overwrite=overwrite)
    places = None if dataset is None else targets_in(dataset, loaded.labels)
    size = loaded.input_size
    model_bytes = to_onnx(
        loaded.model,
        labels=loaded.labels,
        input_size=size,
        opset=opset,
        metadata={"model_name": loaded.model_name, "checkpoint_sha256": loaded.digest},
    )
    rng = np.random.default_rng(0)  # the same golden frames for the same model and data
    frames = noise_frames(2 * GOLDEN_COUNT, size, rng)
    if dataset is not None:
        frames = np.concatenate([pick(dataset, PARITY_COUNT, rng).images(size), frames])
    parts = np.array_split(frames, math.ceil(len(frames) / _BATCH))
    comparison = compare(loaded.model, model_bytes, parts, tolerance=tolerance)
    # Real images come first; with enough of them the golden frames are real images alone.
    chosen = np.linspace(0, max(GOLDEN_COUNT, len(frames) - 2 * GOLDEN_COUNT) - 1, GOLDEN_COUNT).astype(int)
    accuracy = None if dataset is None or places is None else measure(model_bytes, dataset, places, size)
    bundle = pack(
        model_bytes,
        Golden(frames[chosen], comparison.logits[chosen]),
        labels=loaded.labels,
        input_size=size,
        opset=opset,
        model_name=loaded.model_name,
        checkpoint_sha256=loaded.digest,
        parity=comparison.parity,
        metrics=_metrics(loaded.metrics, accuracy),
        accuracy_data=None if dataset is None else f"{dataset.name} {dataset.split}",
        versions=versions(),
    )
    write_bundle(folder, bundle, overwrite=overwrite)
    return Exported(bundle, accuracy)


def measure(model_bytes: bytes, dataset: Dataset, places: NDArray[np.int64], size: tuple[int, int]) -> Rate:
    """Return how many images of a data set the exported model gets right.

    Args:
        model_bytes: the exported model.
        dataset: labelled images.
        places: the model's class index for each of the data set's, as from `targets_in`.
        size: (height, width) of the model's input.
    """
    session, right = open_cpu(model_bytes), 0
    for frames, targets in batches(dataset, size):
        (probabilities,) = session.run(["probabilities"], {INPUT: frames})
        right += int((probabilities.argmax(axis=1) == places[targets]).sum())
    return Rate(right, len(dataset))


def versions() -> dict[str, str]:
    """Return the versions of what takes part in an export."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # another build of it, as onnxruntime-gpu, or a bare checkout
            continue
    return found


def _metrics(trained: Mapping[str, Any], accuracy: Rate | None) -> dict[str, float]:
    """Return the training's own numbers, and the exported model's."""
    numbers = {
        f"checkpoint_{name}": float(value)
        for name, value in trained.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    }
    if accuracy is not None and accuracy.total:
        low, high = accuracy.interval
        numbers |= {"accuracy": accuracy.value, "accuracy_low": low, "accuracy_high": high}
        numbers["accuracy_images"] = float(accuracy.total)
    return numbers
