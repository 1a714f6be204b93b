"""What every raindrop generator is: a differentiable map from clean images and latent codes to wet images.

The quasi-GAN of AdvRD is one, the differentiable wet glass another; whatever attacks through latent codes takes either.
"""

from typing import Protocol

from torch import Tensor


class Generator(Protocol):
    """Puts the drops that latent codes describe on images; deterministic, differentiable in the codes."""

    @property
    def latent_dim(self) -> int:
        """Length d of a latent code; a natural wetting has a code from N(0, I)."""
        ...

    def __call__(self, images: Tensor, z: Tensor) -> Tensor:
        """Return wet images, (n, 3, h, w), RGB in [0, 1].

        Args:
            images: clean images, (n, 3, h, w), RGB in [0, 1].
            z: latent codes, (n, d).
        """
        ...
