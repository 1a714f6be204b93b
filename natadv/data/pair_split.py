"""Split pairs in two by photograph, never by picture or crop."""

from collections.abc import Sequence

import numpy as np

from natadv.data.pair import Pair


def split_by_photograph(
    pairs: Sequence[Pair], rng: np.random.Generator, share: float = 0.5
) -> tuple[list[Pair], list[Pair]]:
    """Return two lists without a photograph in common, in the order of `pairs`.

    Args:
        pairs: of at least two photographs.
        rng: which photographs go where.
        share: of the pairs that the first list gets, as nearly as whole photographs allow, 0..1.

    Raises:
        ValueError: if `share` is not between 0 and 1, or there are fewer than two photographs.
    """
    first = choose_photographs([pair.photograph for pair in pairs], rng, share)
    return (
        [pair for pair, here in zip(pairs, first, strict=True) if here],
        [pair for pair, here in zip(pairs, first, strict=True) if not here],
    )


def choose_photographs(photographs: Sequence[str], rng: np.random.Generator, share: float) -> list[bool]:
    """Tell of each picture, given the name of its photograph, whether it goes to the first side of a split.

    Raises:
        ValueError: if `share` is not between 0 and 1, or there are fewer than two photographs.
    """
    names, counts = np.unique(np.array(photographs, dtype=str), return_counts=True)
    if not 0 < share < 1:
        raise ValueError(f"expected a share between 0 and 1, got {share}")
    if len(names) < 2:
        raise ValueError(f"expected two photographs or more to split, got {len(names)}")
    order = rng.permutation(len(names))
    filled = np.cumsum(counts[order])[:-1]  # pictures on the first side after each photograph but the last
    taken = int(np.argmin(np.abs(filled - share * len(photographs)))) + 1
    chosen = set(names[order[:taken]])
    return [name in chosen for name in photographs]
