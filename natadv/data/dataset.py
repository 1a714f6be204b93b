"""What every dataset looks like: labels, one target per image, and a way to read an image."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from natadv.data.kin import kin_of
from natadv.images import Image, resize

Split = Literal["train", "test"]
SPLITS: tuple[str, ...] = get_args(Split)


@dataclass(frozen=True)
class Dataset:
    """One split of a dataset; images are read when they are asked for.

    Attributes:
        name: the dataset's name, or the folder it was read from.
        split: which part this is.
        labels: one label per class, in the order of the targets.
        targets: class index of each image, int64, (n,).
        keys: a name for each image that stays the same between runs, as its path within the dataset.
        read: returns image i as uint8 RGB, (h, w, 3), at its original size.
        copied_from: the key of each image in the data that it was copied from; None where that is not known.
    """

    name: str
    split: Split
    labels: tuple[str, ...]
    targets: NDArray[np.int64]
    keys: tuple[str, ...]
    read: Callable[[int], Image]
    copied_from: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def __iter__(self) -> Iterator[tuple[Image, int]]:
        for index in range(len(self)):
            yield self.read(index), int(self.targets[index])

    @property
    def origins(self) -> tuple[str, ...]:
        """The key of each image in the data that it came from first, as far as is known."""
        return self.copied_from or self.keys

    @property
    def kin(self) -> tuple[str, ...]:
        """What each image is of, by the name that it came with."""
        return tuple(kin_of(origin) for origin in self.origins)

    def images(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Return all images at `size` = (height, width), uint8 RGB, (n, h, w, 3)."""
        images = np.empty((len(self), *size, 3), np.uint8)
        for index in range(len(self)):
            images[index] = resize(self.read(index), size)
        return images

    def subset(self, indices: NDArray[np.int64]) -> "Dataset":
        """Return the dataset of these images alone, with all its labels."""
        read = self.read
        return replace(
            self,
            targets=self.targets[indices],
            keys=tuple(self.keys[index] for index in indices),
            read=lambda index: read(int(indices[index])),
            copied_from=None if self.copied_from is None else tuple(self.copied_from[index] for index in indices),
        )
