"""Hits: the frames that fooled a model, written as an ordinary image folder for training.

A hit is a frame of a clip through wet glass that the model gets wrong while it gets *every* frame of the same
image's dry control right: only then did the drops do it. The folder holds LABEL/ITEM-FRAME.png, the label being the
true one, and `provenance.csv`, which says where each came from and whether training may use it.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from natadv.images import Image

DEFINITION = "a frame of the wet clip that the model gets wrong, where it gets every frame of the dry control right"
LABELLED_DEFINITION = "a frame that the model gets wrong by the label that a person gave its clip; there is no control"


def control_is_right(predicted: NDArray[np.integer], target: int) -> bool:
    """Whether the model gets every frame of the control, class indices (n,), right."""
    return bool(len(predicted)) and bool((predicted == target).all())


def hit_frames(predicted: NDArray[np.integer], target: int, control_right: bool) -> NDArray[np.bool_]:
    """Return which frames of a wet clip, class indices (n,), are hits."""
    return np.asarray((predicted != target) & control_right)


class HitPictures:
    """Pictures of at most `limit` hits of a clip, evenly spread over its hits, the first and most confident among them.

    Frames come one by one and how many hits there will be is not known before the end: every `stride`-th is kept,
    and when twice too many are, every other one is let go and the stride doubles.
    """

    def __init__(self, limit: int) -> None:
        """Begin with none; ValueError if `limit` is below 2."""
        if limit < 2:
            raise ValueError(f"expected to keep at least 2 hits of a clip, got {limit}")
        self._limit = limit
        self._stride = 1
        self._seen = 0
        self._spread: dict[int, Image] = {}
        self._best: tuple[float, int, Image] | None = None

    def offer(self, frame: int, confidence: float, picture: Callable[[], Image]) -> None:
        """Take note of a hit; `picture` is called only if it is kept for now."""
        image: Image | None = None
        if self._seen % self._stride == 0:
            image = self._spread[frame] = picture()
            if len(self._spread) > 2 * self._limit:
                self._spread = dict(list(self._spread.items())[::2])
                self._stride *= 2
        if self._best is None or confidence > self._best[0]:
            self._best = (confidence, frame, picture() if image is None else image)
        self._seen += 1

    def chosen(self) -> dict[int, Image]:
        """Return the pictures to keep by their frames, in order."""
        if self._best is None:
            return {}
        _, best, image = self._best
        others = [frame for frame in self._spread if frame != best]
        places = np.linspace(0, len(others) - 1, min(len(others), self._limit - 1)).round().astype(int)
        kept = {others[place]: self._spread[others[place]] for place in places}
        kept[best] = image
        return dict(sorted(kept.items()))
