"""What one step of the quasi-GAN sees: rendered pairs, real raindrop photographs, labelled pictures.

All of a step follows from the seed and its number, so that a resumed run sees what it would have seen. Rendering
runs in a thread, a few steps ahead.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from natadv.data.crops import random_crop
from natadv.data.pair import Sides
from natadv.data.rendered import RenderedPairs
from natadv.training.ahead import made_ahead
from natadv.training.pictures import Pictures

_REAL, _LABELLED = 11, 12  # streams of chance


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's pictures, uint8 RGB (n, h, w, 3) each.

    Attributes:
        clean: clean sides of rendered pairs.
        rain: their raindrop sides.
        real_clean: clean sides of real pairs; none where there are no pairs.
        real_rain: their raindrop sides.
        labelled: pictures that the transfer classifier gets right.
        labels: their classes, int64, (n,).
    """

    clean: NDArray[np.uint8]
    rain: NDArray[np.uint8]
    real_clean: NDArray[np.uint8]
    real_rain: NDArray[np.uint8]
    labelled: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Feed:
    """Where a run's pictures come from.

    Attributes:
        rendered: an endless series of pairs.
        real: real pairs in memory; may be none.
        pictures: for the transfer classifier.
        batch_size: rendered pairs a step.
        real_count: real pairs a step.
        seed: of what is drawn.
    """

    rendered: RenderedPairs
    real: tuple[Sides, ...]
    pictures: Pictures
    batch_size: int
    real_count: int
    seed: int

    def batches(self, start: int, stop: int) -> Iterator[Batch]:
        """Yield the batches of steps `start` to `stop`."""
        yield from made_ahead(self.batch, range(start, stop))

    def batch(self, step: int) -> Batch:
        """Return the batch of a step."""
        pairs = [self.rendered[step * self.batch_size + place] for place in range(self.batch_size)]
        rng = np.random.default_rng([self.seed, _REAL, step])
        real = [
            random_crop(self.real[int(rng.integers(len(self.real)))], self.rendered.size, rng)
            for _ in range(self.real_count if self.real else 0)
        ]
        rng = np.random.default_rng([self.seed, _LABELLED, step])
        chosen = rng.integers(len(self.pictures), size=self.batch_size)
        none = np.zeros((0, *self.rendered.size, 3), np.uint8)
        return Batch(
            np.stack([pair.clean for pair in pairs]),
            np.stack([pair.rain for pair in pairs]),
            np.stack([pair.clean for pair in real]) if real else none,
            np.stack([pair.rain for pair in real]) if real else none,
            self.pictures.images[chosen],
            self.pictures.targets[chosen],
        )
