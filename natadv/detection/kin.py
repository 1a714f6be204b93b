"""Parts of a bank: kin stay together when it is parted, so that no detector knows a test image's twin."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from natadv.data.kin import kin_of

Part = Literal["train", "test"]

_STREAM = 1


def dealt_out(sources: Sequence[str], labels: Sequence[str], parts: int, seed: int) -> dict[str, int]:
    """Deal sources out to parts, counted from 0, kin together, label by label in turns.

    Args:
        sources: keys, in any order.
        labels: one for each.
        parts: how many.
        seed: of which kin goes where.
    """
    kin = sorted({(label, kin_of(source)) for source, label in zip(sources, labels, strict=True)})
    chance = np.random.default_rng([seed, _STREAM])
    shuffled = [kin[place] for place in chance.permutation(len(kin))]
    shuffled.sort(key=lambda one: one[0])
    first = int(chance.integers(parts))
    dealt = {name: (first + place) % parts for place, (_, name) in enumerate(shuffled)}
    return {source: dealt[kin_of(source)] for source in sources}


def parted(sources: Sequence[str], labels: Sequence[str], seed: int) -> dict[str, Part]:
    """Deal sources out to training and testing, see `dealt_out`."""
    halves: tuple[Part, Part] = ("train", "test")
    return {source: halves[half] for source, half in dealt_out(sources, labels, 2, seed).items()}
