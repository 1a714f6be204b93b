"""What a training run sees, epoch by epoch: clean pictures, hits, and pictures behind wet glass.

Every choice follows from (seed, epoch, position), so that a resumed run sees what it would have seen. Wet glass is
rendered by a thread, a few batches ahead of the training step.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from natadv.images import Image
from natadv.training.ahead import made_ahead
from natadv.training.pictures import Pictures

Glass = Callable[[Image, np.random.Generator], Image]
"""Puts random drops before one picture, of the size it was built for."""

_MOST_REPEATS = 20
_ORDER, _WET = 1, 2  # so that the two streams of chance differ


@dataclass(frozen=True)
class Views:
    """The training pictures and how they are shown.

    Attributes:
        clean: pictures without drops.
        hits: pictures that have their drops already; may be empty.
        hit_share: hits are repeated, up to 20 times, until they are this share of an epoch.
        raindrops: probability that a clean picture is seen through `glass`.
        glass: puts drops before a picture; needed if `raindrops` is above 0.
        batch_size: pictures a step.
        seed: of the order and of the drops.
    """

    clean: Pictures
    hits: Pictures
    hit_share: float
    raindrops: float
    glass: Glass | None
    batch_size: int
    seed: int

    def __post_init__(self) -> None:
        if self.raindrops and self.glass is None:
            raise ValueError(f"expected glass for {self.raindrops} of the pictures to be seen through")

    @property
    def repeats(self) -> int:
        """How often each hit comes in an epoch."""
        if not len(self.hits):
            return 0
        wanted = self.hit_share / (1 - self.hit_share) * len(self.clean) / len(self.hits)
        return int(np.clip(np.ceil(wanted), 1, _MOST_REPEATS))

    @property
    def steps(self) -> int:
        """Steps an epoch; a last batch that is not full is left out, unless it is the only one."""
        return max(1, (len(self.clean) + self.repeats * len(self.hits)) // self.batch_size)

    def epoch(self, epoch: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
        """Yield the batches of one epoch: images, uint8 (n, h, w, 3), and class indices, (n,)."""
        total = len(self.clean) + self.repeats * len(self.hits)
        order = np.random.default_rng([self.seed, _ORDER, epoch]).permutation(total)
        batches = [order[step * self.batch_size :][: self.batch_size] for step in range(self.steps)]
        yield from made_ahead(partial(self._batch, epoch), batches)

    def _batch(self, epoch: int, positions: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        images, targets = [], []
        for position in positions:
            if position < len(self.clean):
                images.append(self._seen(self.clean.images[position], epoch, int(position)))
                targets.append(self.clean.targets[position])
            else:
                hit = (position - len(self.clean)) % len(self.hits)
                images.append(self.hits.images[hit])
                targets.append(self.hits.targets[hit])
        return np.stack(images), np.array(targets, np.int64)

    def _seen(self, image: Image, epoch: int, position: int) -> Image:
        if self.glass is None or self.raindrops == 0:
            return image
        rng = np.random.default_rng([self.seed, _WET, epoch, position])
        return self.glass(image, rng) if rng.random() < self.raindrops else image
