"""Crops: one window of a picture, brought to a fixed size by averaging over areas.

A window is never turned and never upside down, because drops hang and run downwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from natadv.data.pair import Pair, Sides
from natadv.images import Image, resize


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a picture, px; `mirrored` swaps left and right."""

    top: int
    left: int
    height: int
    width: int
    mirrored: bool = False


def draw_window(
    shape: tuple[int, int],
    size: tuple[int, int],
    rng: np.random.Generator,
    *,
    largest: float = 1.0,
    mirror: bool = True,
) -> Window:
    """Draw a window of the proportions of `size`: log-uniformly from its own size up, anywhere.

    Args:
        shape: height and width of the picture, px.
        size: height and width that the crop will have, px.
        rng: which window.
        largest: the largest window, as a share of the largest that fits, 0..1.
        mirror: whether half of the windows are mirrored.

    Raises:
        ValueError: if the picture is smaller than the crop, or `largest` is not within 0..1.
    """
    fits = min(shape[0] / size[0], shape[1] / size[1])
    if min(size) < 1 or fits < 1:
        raise ValueError(f"expected a picture of at least {size} px, got {shape}")
    if not 0 < largest <= 1:
        raise ValueError(f"expected `largest` within 0..1, got {largest}")
    scale = max(1.0, largest * fits) ** rng.random()
    height, width = (min(round(side * scale), limit) for side, limit in zip(size, shape, strict=True))
    top, left = int(rng.integers(shape[0] - height + 1)), int(rng.integers(shape[1] - width + 1))
    return Window(top, left, height, width, mirror and bool(rng.random() < 0.5))


def cut(image: Image, window: Window, size: tuple[int, int]) -> Image:
    """Return the window of a picture at `size` = (height, width), uint8 RGB, its own memory."""
    part = image[window.top : window.top + window.height, window.left : window.left + window.width]
    part = part[:, ::-1] if window.mirrored else part
    return np.ascontiguousarray(resize(np.ascontiguousarray(part), size))


def random_crop(sides: Sides, size: tuple[int, int], rng: np.random.Generator) -> Sides:
    """Return the same random window of both sides at `size` = (height, width), half of them mirrored.

    Raises:
        ValueError: if the pictures are smaller than `size`.
    """
    window = draw_window((sides.clean.shape[0], sides.clean.shape[1]), size, rng)
    return Sides(cut(sides.clean, window, size), cut(sides.rain, window, size))


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """The same windows of both sides of pairs.

    Attributes:
        clean: uint8 RGB, (n, h, w, 3).
        rain: uint8 RGB, (n, h, w, 3).
        photographs: what each shows, n names.
        true: whether its clean side was photographed, n of them; see `Pair.true`.
    """

    clean: NDArray[np.uint8]
    rain: NDArray[np.uint8]
    photographs: tuple[str, ...]
    true: tuple[bool, ...] = ()

    def __len__(self) -> int:
        return len(self.photographs)


def fixed_crops(pairs: Sequence[Pair], size: tuple[int, int], *, each: int, seed: int) -> Crops:
    """Cut `each` windows from every pair, unmirrored; which ones depends on the seed and the pair's key alone.

    So they stay the same whatever other pairs there are, and whatever puts drops on their clean sides.

    Raises:
        DataError: if a pair cannot be read.
        ValueError: if a picture is smaller than `size`, or `each` is not positive.
    """
    if each < 1 or not pairs:
        raise ValueError(f"expected pairs and one crop or more of each, got {len(pairs)} pairs and {each}")
    crops = []
    for pair in pairs:
        sides = pair.read()
        rng = np.random.default_rng([seed, *pair.key.encode()])
        for _ in range(each):
            window = draw_window((sides.clean.shape[0], sides.clean.shape[1]), size, rng, mirror=False)
            crops.append(Sides(cut(sides.clean, window, size), cut(sides.rain, window, size)))
    photographs = tuple(pair.photograph for pair in pairs for _ in range(each))
    true = tuple(pair.true for pair in pairs for _ in range(each))
    return Crops(np.stack([crop.clean for crop in crops]), np.stack([crop.rain for crop in crops]), photographs, true)
