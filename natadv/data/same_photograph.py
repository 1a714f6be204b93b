"""Which pictures show the same thing: other copies of a file, or one view taken again from the same stand.

Raindrop sets hold both: a camera that stays while the glass is wetted anew, and pictures that travel from one
collection to the next, scaled and compressed again. Either on both sides of a split would make a test of memory.
Pictures are compared as small grey images, also moved by a cell, by their correlation. The same place seen from
elsewhere counts as another photograph.
"""

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.images import Image

SAME = 0.88
"""Correlation from which two pictures are one.

Measured on 35 photographs of different views through glass: no two reach 0.80, while a picture stays above 0.90 with
its copy that is compressed, half as bright again, cropped by 2 % or shifted by 3 %.
"""

_CELLS = 24  # a side
_MOVED = [(down, right) for down in range(3) for right in range(3)]  # by -1, 0, 1 cells


def same_photographs(names: Sequence[str], pictures: Iterable[Image]) -> list[str]:
    """Return a name for each picture's photograph: the first name among those that look the same.

    Args:
        names: of each picture; pictures of one name are one photograph however they look.
        pictures: uint8 RGB (h, w, 3), of any sizes; each is held no longer than it takes to look at it.
    """
    small = [_grey(picture) for picture in pictures]
    middle = np.array([_unit(grey, 1, 1) for grey in small]).reshape(len(names), -1)
    alike = np.full((len(names), len(names)), -1.0)
    for down, right in _MOVED:
        np.maximum(alike, middle @ np.array([_unit(grey, down, right) for grey in small]).T, out=alike)
    photograph = np.array([names.index(name) for name in names])
    for first, second in np.argwhere(np.triu(np.maximum(alike, alike.T) >= SAME, 1)):
        one, other = sorted((photograph[first], photograph[second]))
        photograph[photograph == other] = one
    return [names[index] for index in photograph]


def _grey(picture: Image) -> NDArray[np.float64]:
    small = cv2.resize(picture, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    return small.astype(np.float64).mean(2)


def _unit(grey: NDArray[np.float64], down: int, right: int) -> NDArray[np.float64]:
    """Return a part two cells smaller with mean 0 and length 1; all 0 if it is one grey, which looks like nothing."""
    part = grey[down : down + _CELLS - 2, right : right + _CELLS - 2].ravel()
    part = part - part.mean()
    length = np.linalg.norm(part)
    return part / length if length > 1e-6 else 0 * part
