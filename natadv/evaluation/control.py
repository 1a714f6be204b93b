"""The control of an attack through drops: as many drops, that nobody chose.

Drops hide a part of an image, which may fool a model by itself. Only where drops that cover as much and were not
optimised fool less often was it the optimisation that fooled.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from natadv.attacks.success import rounded
from natadv.evaluation.perturbation import perturbation
from natadv.models.generator import Generator


@dataclass(frozen=True, slots=True)
class Control:
    """Images behind drops that were not optimised.

    Attributes:
        images: in eight bits, (n, 3, h, w).
        coverage: share of the pixels that changed visibly, (n,).
        wanted: the share that was looked for, (n,).
    """

    images: Tensor
    coverage: Tensor
    wanted: Tensor


@torch.no_grad()
def control(
    generator: Generator,
    images: Tensor,
    coverage: Tensor,
    *,
    draws: int,
    rng: torch.Generator,
    batch_size: int = 64,
) -> Control:
    """Put on each image, of `draws` random codes' drops, those that cover it most nearly as much as is wanted.

    No model is asked: what is chosen knows of the coverage alone.

    Args:
        generator: puts drops on images.
        images: clean, (n, 3, h, w), RGB in [0, 1].
        coverage: share of pixels to cover, (n,), as `perturbation` counts it on the attack's images.
        draws: codes tried an image, from N(0, I).
        rng: draws them, on the CPU.
        batch_size: images at once.

    Raises:
        ValueError: if there is nothing to draw, or not a coverage an image.
    """
    if draws < 1 or batch_size < 1:
        raise ValueError(f"expected at least one draw and one image at once, got {draws} and {batch_size}")
    if coverage.shape != images.shape[:1]:
        raise ValueError(f"expected a coverage for each of {len(images)} images, got {tuple(coverage.shape)}")
    found = rounded(images)
    nearest = torch.full_like(coverage, torch.inf)
    covered = torch.zeros_like(coverage)
    for _ in range(draws):
        codes = torch.randn(len(images), generator.latent_dim, generator=rng).to(images)
        for part in torch.arange(len(images), device=images.device).split(batch_size):
            wet = rounded(generator(images[part], codes[part]).clamp(0, 1))
            share = perturbation(images[part], wet).coverage
            distance = (share - coverage[part]).abs()
            nearer = distance < nearest[part]
            chosen = part[nearer]
            found[chosen], covered[chosen], nearest[chosen] = wet[nearer], share[nearer], distance[nearer]
    return Control(found, covered, coverage)
