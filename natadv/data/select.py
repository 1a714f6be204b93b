"""Choose images of a dataset: so many a class, in parts that never overlap."""

import numpy as np
from numpy.typing import NDArray

from natadv.data.dataset import Dataset
from natadv.errors import DataError


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
