"""Pictures held in memory at the model's size: decoded and resized once, not once an epoch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from natadv.data.dataset import Dataset
from natadv.data.kin import counted_by
from natadv.data.match import targets_by_label


@dataclass(frozen=True)
class Pictures:
    """Images of one size with their classes.

    Attributes:
        images: uint8 RGB, (n, h, w, 3).
        targets: class indices, int64, (n,).
        kin: what each image is of, (n,), see `natadv.data.kin`; None where nothing says so: each of something else.
    """

    images: NDArray[np.uint8]
    targets: NDArray[np.int64]
    kin: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def __post_init__(self) -> None:
        if self.kin is not None and len(self.kin) != len(self):
            raise ValueError(f"expected what each of {len(self)} images is of, got {len(self.kin)}")

    @property
    def things(self) -> tuple[str, ...]:
        """What each image is of, by a name or, where nothing says so, a number of its own."""
        return tuple(map(str, range(len(self)))) if self.kin is None else self.kin

    @property
    def counted(self) -> str:
        """How an interval counts the images, in words: by kin where some are of one thing, else by image."""
        return counted_by(self.things)

    def subset(self, places: NDArray[np.int64]) -> "Pictures":
        """Return those at some places alone, in that order."""
        kin = None if self.kin is None else tuple(self.kin[place] for place in places)
        return Pictures(self.images[places], self.targets[places], kin)

    def others(self, target: int) -> "Pictures":
        """Return those of other classes than `target`."""
        return self.subset(np.flatnonzero(self.targets != target))

    def batches(self, size: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        """Yield all of them in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.images[start : start + size], self.targets[start : start + size]


def read_pictures(dataset: Dataset, size: tuple[int, int]) -> Pictures:
    """Read a whole dataset at `size` = (height, width).

    Raises:
        DataError: if an image cannot be read.
    """
    return Pictures(dataset.images(size), dataset.targets, dataset.kin)


def pictures_for(
    dataset: Dataset, labels: Sequence[str], size: tuple[int, int], *, model: str = "the model"
) -> Pictures:
    """Read a whole dataset at `size`, with the classes of a model of these labels.

    Raises:
        DataError: if an image cannot be read, or the data have a label that `model` lacks.
    """
    targets = targets_by_label(dataset, labels, model=model)
    return replace(read_pictures(dataset, size), targets=targets)
