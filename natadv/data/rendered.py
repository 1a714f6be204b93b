"""Rendered pairs: any photographs behind our own wet glass, an endless seeded series.

Pair `index` is a function of the arguments and of `index` alone, so a training that stopped goes on with the pair it
would have seen next.
"""

from collections.abc import Sequence

import numpy as np

from natadv.data.crops import cut, draw_window
from natadv.data.pair import Sides
from natadv.data.photographs import Photographs
from natadv.images import Image, resize
from natadv.raindrops.photograph import PICTURE_MM, RandomGlass
from natadv.raindrops.presets import Wetness

_PLATES, _PICTURES = 1, 2  # streams of random numbers
_POOLS = 2  # kept at a time, so that a shuffle of neighbours across a renewal builds nothing twice


class RenderedPairs:
    """Crops of photographs, clean and behind wet plates of a pool that is renewed now and then.

    Read it about in order, as a plate costs as much as tens of pictures and two pools are kept at a time.
    """

    def __init__(
        self,
        photographs: Photographs,
        size: tuple[int, int],
        *,
        seed: int,
        wetness: Sequence[Wetness] | None = None,
        plates: int = 12,
        renew_after: int = 600,
        picture_mm: tuple[float, float] = PICTURE_MM,
        outdoors: bool = False,
    ) -> None:
        """Plan the series.

        Args:
            photographs: what to put drops on.
            size: height and width of the pairs, px.
            seed: of everything.
            wetness: presets that the plates of a pool take in turn; all of `presets.PRESETS` by default.
            plates: in a pool.
            renew_after: pairs with one pool; then come other plates.
            picture_mm: see `RandomGlass`.
            outdoors: see `RandomGlass`.

        Raises:
            ValueError: if there are no photographs, or the size or a number is not positive.
        """
        if not len(photographs) or renew_after < 1:
            raise ValueError(
                f"expected photographs and renew_after of 1 or more, got {len(photographs)} and {renew_after}"
            )
        self.size = size
        self._photographs = photographs
        self._seed = seed
        self._renew_after = renew_after
        self._plates = plates
        self._wetness = wetness
        self._picture_mm = picture_mm
        self._outdoors = outdoors
        self._pools: dict[int, RandomGlass] = {}
        self._pool(0)  # refuses wrong arguments now

    def __getitem__(self, index: int) -> Sides:
        """Return pair `index` >= 0, uint8 RGB (h, w, 3) each; a photograph smaller than that is enlarged.

        Raises:
            IndexError: if `index` is negative; there is no end to count from.
            DataError: if a photograph cannot be read.
        """
        if index < 0:
            raise IndexError(f"expected an index of 0 or more, got {index}")
        rng = np.random.default_rng([self._seed, _PICTURES, index])
        clean = self._crop(self._photographs.read(int(rng.integers(len(self._photographs)))), rng)
        return Sides(clean, self._pool(index // self._renew_after)(clean, rng))

    def _pool(self, number: int) -> RandomGlass:
        if number not in self._pools:
            if len(self._pools) == _POOLS:
                del self._pools[next(iter(self._pools))]
            rng = np.random.default_rng([self._seed, _PLATES, number])
            self._pools[number] = RandomGlass(
                self.size,
                rng,
                plates=self._plates,
                wetness=self._wetness,
                picture_mm=self._picture_mm,
                outdoors=self._outdoors,
            )
        return self._pools[number]

    def _crop(self, photograph: Image, rng: np.random.Generator) -> Image:
        grow = max(side / there for side, there in zip(self.size, photograph.shape[:2], strict=True))
        if grow > 1:
            height, width = (
                max(side, round(there * grow)) for side, there in zip(self.size, photograph.shape[:2], strict=True)
            )
            photograph = resize(photograph, (height, width))
        shape = (photograph.shape[0], photograph.shape[1])
        return cut(photograph, draw_window(shape, self.size, rng), self.size)
