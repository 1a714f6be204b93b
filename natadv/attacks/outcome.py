"""Outcome: what an attack found, counted honestly.

An image counts as fooled only where its 8-bit form is misclassified, because that is what a file or a camera holds.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of attacking n images.

    Attributes:
        images: float, (n, 3, h, w), every value a multiple of 1 / 255; the clean image where the attack failed.
        fooled: bool, (n,); true where the model errs on `images`.
        queries: int64, (n,); forward passes of the model that this image took.
        gradients: int64, (n,); backward passes that it took.
        latents: float, (n, d); the code that fooled, or that of the last try where none did; None where the
            attack has no codes.
    """

    images: Tensor
    fooled: Tensor
    queries: Tensor
    gradients: Tensor
    latents: Tensor | None = None
