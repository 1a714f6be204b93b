"""Kin: images of one thing, which stay together when a bank is parted, so that no detector knows a test image's twin.

GTSRB has thirty frames of each sign, TRACK_FRAME in its files' names. ImageNet-A-Plus (Li et al. 2021) has crops of
ImageNet-A's photographs, and one of the same label and name is taken for its crop. Elsewhere an image is its own kin.
"""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

Part = Literal["train", "test"]

_FRAME_OF_TRACK = re.compile(r"(?P<track>.*\d{5})_\d{5}\.\w+")
_PHOTOGRAPH = re.compile(r"imagenet-a(?:-plus)?/(?P<name>.+)\.\w+")
_STREAM = 1


def kin_of(source: str) -> str:
    """Return what a source is a picture of, as far as its name says: a track, a photograph, or the source itself."""
    if track := _FRAME_OF_TRACK.fullmatch(source):
        return track["track"]
    photograph = _PHOTOGRAPH.fullmatch(source)
    return f"imagenet-a/{photograph['name']}" if photograph else source


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
