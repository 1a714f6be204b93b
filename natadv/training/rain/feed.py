"""Pictures for RAIN's training: those of a dataset, whole, or crops of photographs.

All of a step follows from the seed and its number, so that a resumed run sees what it would have seen.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from natadv.data.crops import cut, draw_window
from natadv.data.dataset import Dataset
from natadv.data.load import load_dataset
from natadv.data.photographs import KeptPhotographs, Photographs, find_photographs
from natadv.errors import DataError
from natadv.training.ahead import made_ahead
from natadv.training.rain.recipe import PictureRecipe

_HELD_BACK = 8
"""Every so many-th photograph is measured on and never trained on."""
_SHOWN = 256
_TRAIN, _TEST = 31, 32  # streams of chance


Targets = Callable[[Dataset], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures, uint8 RGB (n, h, w, 3), and the class of each, int64 (n,); None for photographs."""

    images: NDArray[np.uint8]
    targets: NDArray[np.int64] | None


class WholePictures:
    """A dataset's pictures, drawn at random."""

    def __init__(
        self, train: Dataset, test: Dataset, targets: Targets, *, size_px: int, batch_size: int, seed: int
    ) -> None:
        size = (size_px, size_px)
        self._images, self._targets = train.images(size), targets(train)
        chosen = np.random.default_rng([seed, _TEST]).permutation(len(test))[:_SHOWN]
        held = test.subset(np.sort(chosen))
        self.test = Batch(held.images(size), targets(held))
        self.described = f"{train.name}: {len(train)} pictures"
        self._batch_size, self._seed = batch_size, seed

    def batch(self, step: int) -> Batch:
        """Return the pictures of a step."""
        rng = np.random.default_rng([self._seed, _TRAIN, step])
        chosen = rng.integers(len(self._targets), size=self._batch_size)
        return Batch(self._images[chosen], self._targets[chosen])


class Crops:
    """Crops of photographs, of any scale from their own down; every eighth photograph is only measured on."""

    def __init__(self, photographs: Photographs, name: str, *, size_px: int, batch_size: int, seed: int) -> None:
        """Take the photographs that are large enough.

        Raises:
            DataError: if fewer than two are, or one cannot be read.
        """
        kept = KeptPhotographs(photographs)
        large = [number for number in range(len(kept)) if min(kept.read(number).shape[:2]) >= size_px]
        if len(large) < 2:
            raise DataError(f"{name}: {len(large)} photographs of {size_px} px or more; two are needed at least")
        held = large[::_HELD_BACK]
        self._photographs, self._numbers = kept, [number for number in large if number not in held]
        self._size, self._batch_size, self._seed = (size_px, size_px), batch_size, seed
        self.described = f"{name}: {len(self._numbers)} photographs"
        rng = np.random.default_rng([seed, _TEST])
        each = -(-_SHOWN // len(held))
        shown = [self._crop(number, rng) for number in held for _ in range(each)]
        self.test = Batch(np.stack(shown[:_SHOWN]), None)

    def batch(self, step: int) -> Batch:
        """Return the crops of a step."""
        rng = np.random.default_rng([self._seed, _TRAIN, step])
        chosen = rng.choice(self._numbers, size=self._batch_size)
        return Batch(np.stack([self._crop(int(number), rng) for number in chosen]), None)

    def _crop(self, number: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        image = self._photographs.read(number)
        return cut(image, draw_window((image.shape[0], image.shape[1]), self._size, rng), self._size)


Feed = WholePictures | Crops


def open_feed(recipe: PictureRecipe, targets: Targets = lambda data: data.targets) -> Feed:
    """Open the pictures of a recipe.

    Args:
        recipe: says which.
        targets: the class of each picture of a dataset, as a model counts them.

    Raises:
        ConfigError: if there are no such data.
        DataError: if they are not what they should be.
    """
    if recipe.data is not None:
        train, test = (load_dataset(recipe.data, split, root=Path(recipe.root)) for split in ("train", "test"))
        return WholePictures(
            train, test, targets, size_px=recipe.size_px, batch_size=recipe.batch_size, seed=recipe.seed
        )
    folder = Path(str(recipe.photographs))
    found = find_photographs(folder)
    return Crops(found, folder.name, size_px=recipe.size_px, batch_size=recipe.batch_size, seed=recipe.seed)


def batches(feed: Feed, start: int, stop: int) -> Iterator[Batch]:
    """Yield the batches of steps `start` to `stop`, made a little ahead in a thread."""
    yield from made_ahead(feed.batch, range(start, stop))
