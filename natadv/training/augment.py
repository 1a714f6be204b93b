"""Random views of a batch of pictures: pose, light, focus and noise. Never mirrored: a sign's sides matter.

All is drawn on the CPU from the generator handed in and computed on the batch's device, so that a seed means the
same batch everywhere.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional


def augment(batch: Tensor, generator: Generator, *, strength: float = 1.0) -> Tensor:
    """Return a random view of each picture of `batch`, float (n, 3, h, w), RGB in [0, 1].

    Args:
        batch: the pictures.
        generator: on the CPU; the only source of chance.
        strength: 1 turns by up to 12 degrees, scales by up to 15 %, shifts by up to 10 %, and changes exposure by
            up to 0.8 stops; 0 changes nothing.

    Raises:
        ValueError: if `strength` is negative.
    """
    if strength < 0:
        raise ValueError(f"strength must not be negative, got {strength}")
    if strength == 0:
        return batch
    posed = _posed(batch, generator, strength)
    return _noisy(_lit(_focused(posed, generator, strength), generator, strength), generator, strength)


def _uniform(batch: Tensor, generator: Generator, columns: int) -> list[Tensor]:
    """Draw `columns` vectors, (n,), uniform in -1..1."""
    drawn = torch.rand(len(batch), columns, generator=generator) * 2 - 1
    return list(drawn.to(batch.device).unbind(1))


def _posed(batch: Tensor, generator: Generator, strength: float) -> Tensor:
    """Turn, scale, shear and shift; what comes into view repeats the edge."""
    turn, grow, stretch, shear, right, down = _uniform(batch, generator, 6)
    angle = turn * math.radians(12) * strength
    scale = torch.exp(0.15 * strength * grow)
    stretch, shear = torch.exp(0.08 * strength * stretch), 0.08 * strength * shear
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = [
        torch.stack([cos * stretch, shear - sin, 0.1 * strength * right], 1),
        torch.stack([sin, cos / stretch, 0.1 * strength * down], 1),
    ]
    grid = functional.affine_grid(torch.stack(rows, 1), list(batch.shape), align_corners=False)
    return functional.grid_sample(batch, grid, padding_mode="border", align_corners=False)


def _focused(batch: Tensor, generator: Generator, strength: float) -> Tensor:
    """Blur or sharpen by going towards, or away from, the mean of 3 x 3 pixels; some twice."""
    for share in _uniform(batch, generator, 2):
        amount = (0.25 + 0.75 * share) * strength  # -0.5, sharper, to 1, the mean itself
        mean = functional.avg_pool2d(batch, 3, 1, 1, count_include_pad=False)
        batch = batch + amount.clamp(-0.5, 1)[:, None, None, None] * (mean - batch)
    return batch


def _lit(batch: Tensor, generator: Generator, strength: float) -> Tensor:
    """Change exposure, contrast, saturation and the colour of the light."""
    expose, contrast, saturate, *tint = _uniform(batch, generator, 6)
    gain = torch.exp2(0.8 * strength * expose)[:, None] * (1 + 0.08 * strength * torch.stack(tint, 1))
    batch = batch * gain[..., None, None]
    grey = batch.mean(1, keepdim=True)
    batch = grey + (1 + 0.35 * strength * saturate)[:, None, None, None] * (batch - grey)
    mean = batch.mean((1, 2, 3), keepdim=True)
    return mean + (1 + 0.3 * strength * contrast)[:, None, None, None] * (batch - mean)


def _noisy(batch: Tensor, generator: Generator, strength: float) -> Tensor:
    """Add sensor noise, sigma up to 0.03, and clip as a sensor does."""
    (level,) = _uniform(batch, generator, 1)
    noise = torch.randn(batch.shape, generator=generator).to(batch.device)
    sigma = (0.03 * strength * level).clamp(min=0)[:, None, None, None]
    return (batch + sigma * noise).clamp(0, 1)
