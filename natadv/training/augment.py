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
    """Blur by a Gaussian of up to 1.5 pixels, or sharpen by half of what one would take away."""
    share, width = _uniform(batch, generator, 2)
    amount = ((0.25 + 0.75 * share) * strength).clamp(-0.5, 1)[:, None, None]
    sigma = (0.9 + 0.6 * width)[:, None]
    tap = torch.exp(-((torch.arange(-2.0, 3.0, device=batch.device) / sigma) ** 2) / 2)
    tap = tap / tap.sum(1, keepdim=True)
    sharp = torch.zeros(5, 5, device=batch.device)
    sharp[2, 2] = 1
    kernels = sharp + amount * (tap[:, :, None] * tap[:, None, :] - sharp)
    count, channels, height, width_px = batch.shape
    # One convolution with a group for each plane, which is far quicker than a loop over pictures.
    planes = functional.pad(batch, (2, 2, 2, 2), mode="replicate").reshape(1, -1, height + 4, width_px + 4)
    blurred = functional.conv2d(planes, kernels.repeat_interleave(channels, 0)[:, None], groups=count * channels)
    return blurred.view(batch.shape)


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
    """Add sensor noise, sigma up to 0.03 and less in dark pictures, and clip as a sensor does."""
    (level,) = _uniform(batch, generator, 1)
    noise = torch.randn(batch.shape, generator=generator).to(batch.device)
    level = level * (0.2 + batch.mean((1, 2, 3))).clamp(max=1)
    sigma = (0.03 * strength * level).clamp(min=0)[:, None, None, None]
    noisy = (batch + sigma * noise).clamp(0, 1)
    return noisy.contiguous(memory_format=torch.channels_last)
