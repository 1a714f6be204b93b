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
from edge.manifest import INPUT, RainNoise
from export.frames import batches, noise_frames, pick, targets_in
from export.graph import DeployedClassifier
from export.onnx import OPSET, to_onnx
from export.parity import TOLERANCE, compare, open_cpu, steady_noise
from natadv.data.dataset import Dataset
from natadv.defenses.rain import Rain
from natadv.errors import ConfigError
from natadv.evaluation.rates import Rate
from natadv.training.checkpoint import LoadedClassifier
from natadv.training.rain.checkpoint import LoadedNetwork

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
    rain: LoadedNetwork | None = None,
    draws: int = 1,
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
        rain: RAIN's network, to put RAIN before the classifier.
        draws: passes through RAIN that are averaged for a frame.
        opset: of the model, 18 to 20.
        tolerance: largest difference of a logit that passes.
        overwrite: replace a bundle of that name.

    Raises:
        BundleError: if it cannot be exported, or differs from the original.
        ConfigError: if the data has a label that the model lacks, the name is taken, or RAIN was tuned for another
            classifier.
        ResourceError: if the disk is full.
    """
    check_name(folder, overwrite=overwrite)
    before = None if rain is None else _tuned_for(rain, loaded)
    places = None if dataset is None else targets_in(dataset, loaded.labels)
    size = loaded.input_size
    deployed = DeployedClassifier(loaded.model, rain=before, input_size=size, draws=draws)
    sources = {"model_name": loaded.model_name, "checkpoint_sha256": loaded.digest}
    if rain is not None:
        sources |= {"rain_name": rain.name, "rain_sha256": rain.digest}
    model_bytes = to_onnx(
        deployed,
        labels=loaded.labels,
        input_size=size,
        opset=opset,
        metadata=sources,
    )
    rng = np.random.default_rng(0)  # the same golden frames for the same model and data
    frames = noise_frames(2 * GOLDEN_COUNT, size, rng)
    if dataset is not None:
        frames = np.concatenate([pick(dataset, PARITY_COUNT, rng).images(size), frames])
    parts = np.array_split(frames, math.ceil(len(frames) / _BATCH))
    comparison = compare(deployed, model_bytes, parts, tolerance=tolerance)
    # Real images come first; with enough of them the golden frames are real images alone.
    chosen = np.linspace(0, max(GOLDEN_COUNT, len(frames) - 2 * GOLDEN_COUNT) - 1, GOLDEN_COUNT).astype(int)
    accuracy = (
        None if dataset is None or places is None else measure(model_bytes, dataset, places, size, deployed.noise)
    )
    bundle = pack(
        model_bytes,
        Golden(
            frames[chosen],
            comparison.logits[chosen],
            {name: values[chosen] for name, values in comparison.noise.items()},
        ),
        labels=loaded.labels,
        input_size=size,
        opset=opset,
        model_name=loaded.model_name,
        checkpoint_sha256=loaded.digest,
        parity=comparison.parity,
        metrics=_metrics(loaded.metrics, accuracy),
        accuracy_data=None if dataset is None else f"{dataset.name} {dataset.split}",
        versions=versions(),
        noise=deployed.noise,
        rain_sha256=None if rain is None else rain.digest,
    )
    write_bundle(folder, bundle, overwrite=overwrite)
    return Exported(bundle, accuracy)


def measure(
    model_bytes: bytes,
    dataset: Dataset,
    places: NDArray[np.int64],
    size: tuple[int, int],
    noise: RainNoise | None = None,
) -> Rate:
    """Return how many images of a data set the exported model gets right, each seen once.

    Args:
        model_bytes: the exported model.
        dataset: labelled images.
        places: the model's class index for each of the data set's, as from `targets_in`.
        size: (height, width) of the model's input.
        noise: what it takes beside the frames.
    """
    session, stream, right, count = open_cpu(model_bytes), steady_noise(noise), 0, 0
    for frames, targets in batches(dataset, size):
        (probabilities,) = session.run(["probabilities"], {INPUT: frames, **stream(count, len(frames))})
        right += int((probabilities.argmax(axis=1) == places[targets]).sum())
        count += len(frames)
    return Rate(right, len(dataset))


def _tuned_for(network: LoadedNetwork, loaded: LoadedClassifier) -> Rain:
    """Return RAIN as it was tuned, for this very classifier: before another one it loses accuracy unmeasured."""
    tuned_for = network.provenance.get("classifier")
    if tuned_for is None:
        raise ConfigError("--rain: this network was tuned for no classifier; tune it with `natadv train rain`")
    if loaded.digest[:12] not in tuned_for:
        raise ConfigError(f"--rain: this network was tuned for {tuned_for}, not for sha256 {loaded.digest[:12]}")
    return network.rain()


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
