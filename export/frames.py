"""The frames that an export is judged on: real images where there are some, and drawn noise in any case."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from natadv.data.dataset import Dataset
from natadv.errors import ConfigError
from natadv.images import resize


def noise_frames(count: int, size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return frames of noise, uint8 (count, h, w, 3), from flat colours to single pixels in turn.

    White noise alone averages out in the first layers and would let large errors pass.
    """
    frames = np.empty((count, *size, 3), np.uint8)
    for index in range(count):
        cells = tuple(min(side, 2 ** (index % 7)) for side in size)
        frames[index] = resize(rng.integers(0, 256, (*cells, 3), np.uint8), size)
    return frames


def pick(dataset: Dataset, count: int, rng: np.random.Generator) -> Dataset:
    """Return at most `count` images of a dataset, drawn without repetition, in their own order."""
    if count >= len(dataset):
        return dataset
    return dataset.subset(np.sort(rng.choice(len(dataset), count, replace=False)))


def batches(
    dataset: Dataset, size: tuple[int, int], batch_size: int = 64
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Yield (frames at `size`, uint8 (n, h, w, 3); targets, int64 (n,)) over a dataset."""
    for start in range(0, len(dataset), batch_size):
        part = dataset.subset(np.arange(start, min(start + batch_size, len(dataset))))
        yield part.images(size), part.targets


def targets_in(dataset: Dataset, labels: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the place of each of the dataset's classes among a model's labels.

    Raises:
        ConfigError: if the model lacks one.
    """
    missing = [label for label in dataset.labels if label not in labels]
    if missing:
        raise ConfigError(
            f"data {dataset.name}: label {missing[0]!r} is not among the model's {len(labels)} labels"
            f" ({labels[0]!r} to {labels[-1]!r}); name the data that it was trained on"
        )
    return np.array([labels.index(label) for label in dataset.labels], np.int64)
