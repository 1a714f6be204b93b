"""Pictures held in memory at the model's size: decoded and resized once, not once an epoch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from natadv.data.dataset import Dataset
from natadv.data.match import targets_by_label


@dataclass(frozen=True)
class Pictures:
    """Images of one size with their classes.

    Attributes:
        images: uint8 RGB, (n, h, w, 3).
        targets: class indices, int64, (n,).
    """

    images: NDArray[np.uint8]
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.targets)

    def batches(self, size: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        """Yield all of them in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.images[start : start + size], self.targets[start : start + size]


def read_pictures(dataset: Dataset, size: tuple[int, int]) -> Pictures:
    """Read a whole dataset at `size` = (height, width).

    Raises:
        DataError: if an image cannot be read.
    """
    return Pictures(dataset.images(size), dataset.targets)


def pictures_for(
    dataset: Dataset, labels: Sequence[str], size: tuple[int, int], *, model: str = "the model"
) -> Pictures:
    """Read a whole dataset at `size`, with the classes of a model of these labels.

    Raises:
        DataError: if an image cannot be read, or the data have a label that `model` lacks.
    """
    targets = targets_by_label(dataset, labels, model=model)
    return Pictures(read_pictures(dataset, size).images, targets)
