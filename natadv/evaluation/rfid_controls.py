"""What RFID is measured of: a generator's natural drops, and what they have to beat, none at all and rendered ones."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from natadv.batches import to_images
from natadv.models.generator import Generator
from natadv.raindrops.photograph import RandomGlass


def drop_free(batch: Tensor) -> Tensor:
    """Return the clean pictures as they are."""
    return batch


class RenderedDrops:
    """Puts clean pictures behind random wet plates; every call goes on with the same series of poses."""

    def __init__(self, glass: RandomGlass, *, seed: int) -> None:
        self._glass, self._rng = glass, np.random.default_rng(seed)

    def __call__(self, batch: Tensor) -> Tensor:
        """Return wet pictures, float RGB (n, 3, h, w) in [0, 1], of clean ones.

        Raises:
            ValueError: if the pictures have another size than the glass.
        """
        wet = np.stack([self._glass(image, self._rng) for image in to_images(batch)])
        return (torch.from_numpy(wet).permute(0, 3, 1, 2).float() / 255).to(batch.device)


def natural(generator: Generator, seed: int) -> Callable[[Tensor], Tensor]:
    """Return what puts the drops of random codes on clean pictures; every call goes on with the same series."""
    chance = torch.Generator().manual_seed(seed)

    def wet(clean: Tensor) -> Tensor:
        codes = torch.randn(len(clean), generator.latent_dim, generator=chance).to(clean)
        return generator(clean, codes).clamp(0, 1)

    return wet
