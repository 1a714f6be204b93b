"""Rain that nobody planted, to ask whether it sets a backdoor off: rendered, photographed, or filmed at a bench."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from natadv.backdoors.drops import Rendered
from natadv.data.pair import Pair, Sides
from natadv.images import resize
from natadv.raindrops.presets import PRESETS
from natadv.training.pictures import Pictures

_STREAM = 7
_PLATES = 0x7A17_0000  # no trigger's seed: natural rain falls on other plates than those that were planted


def rendered_rain(test: Pictures, target: int, *, seed: int = 0) -> Iterator[tuple[str, Pictures]]:
    """Yield the test images of other classes behind rendered drops, by each preset's name."""
    others = test.others(target)
    for wetness in PRESETS:
        chance = np.random.default_rng([seed, _STREAM])
        yield wetness, replace(others, images=Rendered(wetness, _PLATES + seed)(others.images, chance))


def photographed_rain(test: Pictures, target: int, pairs: list[Pair], *, seed: int = 0) -> Pictures:
    """Return the test images of other classes with drops of real photographs laid over.

    What a photograph of rain differs from its clean one by, in a random square of it scaled to the image, is added.

    Raises:
        ValueError: if there are no pairs.
        DataError: if a photograph cannot be read.
    """
    if not pairs:
        raise ValueError("expected at least one pair of photographs")
    others = test.others(target)
    chance = np.random.default_rng([seed, _STREAM])
    read = _remembered(pairs)
    laid = np.empty_like(others.images)
    for number, image in enumerate(others.images):
        sides = read(int(chance.integers(len(pairs))))
        shape = sides.rain.shape[:2]
        side = int(chance.integers(min(shape) // 2, min(shape) + 1))
        top, left = (int(chance.integers(length - side + 1)) for length in shape)
        square = slice(top, top + side), slice(left, left + side)
        rain, clean = (resize(one[square], image.shape[:2]).astype(np.int16) for one in (sides.rain, sides.clean))
        laid[number] = np.clip(image + rain - clean, 0, 255)
    return replace(others, images=laid)


def _remembered(pairs: list[Pair]) -> Callable[[int], Sides]:
    read: dict[int, Sides] = {}

    def at(index: int) -> Sides:
        if index not in read:
            read[index] = pairs[index].read()
        return read[index]

    return at
