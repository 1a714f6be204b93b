"""Draw images of a dataset by a seed, the same for everybody who asks for as many."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from natadv.data.dataset import Dataset
from natadv.errors import ConfigError


@dataclass(frozen=True)
class Drawn:
    """Images drawn from a dataset.

    Attributes:
        dataset: the drawn ones alone, in the order of their numbers.
        numbers: their places in the whole dataset, (n,).
    """

    dataset: Dataset
    numbers: NDArray[np.int64]


def draw(dataset: Dataset, *, count: int | None, seed: int) -> Drawn:
    """Draw `count` images, each as likely as any other; all where it is None.

    Raises:
        ConfigError: if there are not so many.
    """
    if count is not None and count > len(dataset):
        raise ConfigError(f"--count {count}: there are only {len(dataset)} images in {dataset.split} of {dataset.name}")
    numbers = np.sort(np.random.default_rng(seed).permutation(len(dataset))[:count])
    return Drawn(dataset.subset(numbers), numbers)
