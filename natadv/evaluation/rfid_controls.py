"""What a generator's RFID is read against: no drops at all, and our own rendered ones."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from natadv.raindrops.photograph import PICTURE_MM, RandomGlass
from natadv.raindrops.presets import Wetness


def drop_free(batch: Tensor) -> Tensor:
    """Return the clean pictures as they are."""
    return batch


class RenderedDrops:
    """Puts clean pictures behind random wet plates; every call goes on with the same seeded series."""

    def __init__(
        self,
        size: tuple[int, int],
        *,
        seed: int,
        plates: int = 24,
        wetness: Sequence[Wetness] | None = None,
        picture_mm: tuple[float, float] = PICTURE_MM,
        outdoors: bool = False,
    ) -> None:
        """Plan the plates.

        Args:
            size: height and width of the pictures, px.
            seed: which plates and poses.
            plates: how many.
            wetness: presets that the plates take in turn; all by default.
            picture_mm: see `RandomGlass`.
            outdoors: see `RandomGlass`.

        Raises:
            ValueError: if the size or the number of plates is not positive, or there is no wetness.
        """
        self._rng = np.random.default_rng(seed)
        self._glass = RandomGlass(
            size, self._rng, plates=plates, wetness=wetness, picture_mm=picture_mm, outdoors=outdoors
        )

    def __call__(self, batch: Tensor) -> Tensor:
        """Return wet pictures, float RGB (n, 3, h, w) in [0, 1], of clean ones.

        Raises:
            ValueError: if the pictures have another size.
        """
        images = (batch * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        wet = np.stack([self._glass(np.ascontiguousarray(image), self._rng) for image in images])
        return (torch.from_numpy(wet).permute(0, 3, 1, 2).float() / 255).to(batch.device)
