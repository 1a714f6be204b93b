"""Two bundles on the same images: who is right, who is quicker, where they differ."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.classifier import Classifier
from edge.noise import SEED_BYTES
from export.frames import batches, targets_in
from natadv.data.dataset import Dataset
from natadv.errors import BundleError
from natadv.evaluation.rates import KinRate, Rate

_TIMED = 50
"""Single frames that each model is timed on, in turn."""


@dataclass(frozen=True, slots=True)
class BundleComparison:
    """What two bundles made of the same images, on the CPU with one thread.

    Attributes:
        accuracy: of each.
        agree: images of which both say the same.
        only: images that each alone gets right.
        largest: largest difference of a probability.
        frame_s: median seconds of each for one frame.
        bytes: of each model file.
    """

    accuracy: tuple[Rate, Rate]
    agree: Rate
    only: tuple[int, int]
    largest: float
    frame_s: tuple[float, float]
    bytes: tuple[int, int]


def compare_bundles(
    first: Path, second: Path, dataset: Dataset, *, report: Callable[[int, int], None] = lambda done, total: None
) -> BundleComparison:
    """Run a dataset through two bundles, each at its own input size.

    Args:
        first: folder of a bundle.
        second: of the other.
        dataset: labelled images.
        report: told how many images, of how many, are done.

    Raises:
        BundleError: if one is damaged, or the two have other labels.
        ConfigError: if the data has a label that they lack.
    """
    seed = bytes(SEED_BYTES)  # the same noise each time, so that a comparison can be repeated
    with (
        Classifier(first, device="cpu", threads=1, noise_seed=seed) as one,
        Classifier(second, device="cpu", threads=1, noise_seed=seed) as other,
    ):
        if one.labels != other.labels:
            raise BundleError(f"{first} and {second}: their labels differ, so their answers cannot be compared")
        places = targets_in(dataset, one.labels)
        right: list[list[bool]] = [[], []]
        same: list[bool] = []
        only, largest, done = [0, 0], 0.0, 0
        pairs = zip(batches(dataset, one.input_size), batches(dataset, other.input_size), strict=True)
        for (ours, targets), (theirs, _) in pairs:
            answers = (one.probabilities(ours), other.probabilities(theirs))
            hits = [answer.argmax(1) == places[targets] for answer in answers]
            for place in (0, 1):
                right[place] += hits[place].tolist()
                only[place] += int((hits[place] & ~hits[1 - place]).sum())
            same += (answers[0].argmax(1) == answers[1].argmax(1)).tolist()
            largest = max(largest, float(np.abs(answers[0] - answers[1]).max()))
            done += len(targets)
            report(done, len(dataset))
        frame_s = _timed((one, other), dataset)
        sizes = tuple((folder / "model.onnx").stat().st_size for folder in (first, second))
    return BundleComparison(
        (KinRate.of(right[0], dataset.kin), KinRate.of(right[1], dataset.kin)),
        KinRate.of(same, dataset.kin),
        (only[0], only[1]),
        largest,
        frame_s,
        (sizes[0], sizes[1]),
    )


def _timed(classifiers: tuple[Classifier, Classifier], dataset: Dataset) -> tuple[float, float]:
    """Return the median seconds of each for one frame, in turn, so that other work on the machine meets both alike."""
    some = dataset.subset(np.arange(min(_TIMED, len(dataset))))
    frames: list[NDArray[np.uint8]] = [some.images(one.input_size) for one in classifiers]
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(_TIMED + 1):
        for one, given, found in zip(classifiers, frames, seconds, strict=True):
            frame = given[turn % len(given)][None]
            start = time.perf_counter()
            one.probabilities(frame)
            if turn:  # the first warms up
                found.append(time.perf_counter() - start)
    return statistics.median(seconds[0]), statistics.median(seconds[1])
