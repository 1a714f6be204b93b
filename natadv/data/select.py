"""Choose images of a dataset: so many a class, in parts that never overlap."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from natadv.data.dataset import Dataset
from natadv.data.folder import has_splits
from natadv.data.gtsrb import find_gtsrb
from natadv.data.load import NAMES, load_dataset
from natadv.errors import DataError

HELD_BACK = 0.2


def choose(
    dataset: Dataset, *, per_class: int | None = None, seed: int = 0, part: tuple[int, int] = (1, 1)
) -> NDArray[np.int64]:
    """Return indices of a seeded choice, sorted.

    Args:
        dataset: what to choose from.
        per_class: so many images of each class; None takes all.
        seed: shuffles each class; two choices are disjoint only if they share it.
        part: (i, n), 1 <= i <= n: take from the i-th of n disjoint parts of each class.

    Raises:
        ValueError: if `per_class` or `part` is out of range.
        DataError: if a class has too few images in the part.
    """
    number, parts = part
    if not 1 <= number <= parts:
        raise ValueError(f"expected a part i/n with 1 <= i <= n, got {number}/{parts}")
    if per_class is not None and per_class < 1:
        raise ValueError(f"expected at least one image a class, got {per_class}")
    chosen = []
    for target, label in enumerate(dataset.labels):
        members = np.flatnonzero(dataset.targets == target)
        mine = np.random.default_rng([seed, target]).permutation(members)[number - 1 :: parts]
        if per_class is not None and len(mine) < per_class:
            raise DataError(
                f"{dataset.name}: class {label!r} has {len(mine)} images in part {number}/{parts} "
                f"of {dataset.split}, {per_class} asked for"
            )
        chosen.append(mine[:per_class])
    return np.sort(np.concatenate(chosen))


def training_and_test(name_or_folder: str, *, root: Path = Path("data"), seed: int = 0) -> tuple[Dataset, Dataset]:
    """Return what to train on and what to measure on.

    Of a folder that keeps no test images of its own, one image in five of each class is held back, by `seed`.

    Raises:
        ConfigError: if it is neither a dataset's name nor a folder.
        DataError: if the data are not there or torn.
    """
    train = load_dataset(name_or_folder, "train", root=root)
    folder = Path(name_or_folder)
    if name_or_folder in NAMES or find_gtsrb(folder) or has_splits(folder):
        return train, load_dataset(name_or_folder, "test", root=root)
    parts = round(1 / HELD_BACK)
    held = choose(train, seed=seed, part=(1, parts))
    if not len(held) or len(held) == len(train):
        raise DataError(f"{folder}: too few images to hold some back for a test; add some or a test/ part")
    kept = np.setdiff1d(np.arange(len(train)), held)
    return train.subset(kept), load_dataset(name_or_folder, "test", root=root).subset(held)
