"""RGB and HSV, the hexcone of Smith (1978): hue, saturation and value, each in [0, 1], for batches of images."""

import torch
from torch import Tensor


def rgb_to_hsv(images: Tensor) -> Tensor:
    """Return the hue, saturation and value of RGB images, (n, 3, h, w) in [0, 1], in the same shape.

    Red has hue 0, green 1 / 3, blue 2 / 3; greys have hue 0 and saturation 0. `hsv_to_rgb` undoes it.
    """
    value, highest = images.max(1)
    spread = value - images.amin(1)
    divisor = torch.where(spread > 0, spread, torch.ones_like(spread))
    red, green, blue = images.unbind(1)
    sectors = torch.stack([(green - blue) / divisor, 2 + (blue - red) / divisor, 4 + (red - green) / divisor])
    hue = sectors.gather(0, highest[None])[0].div(6).remainder(1)
    saturation = spread / torch.where(value > 0, value, torch.ones_like(value))
    return torch.stack([hue, saturation, value], 1)


def hsv_to_rgb(images: Tensor) -> Tensor:
    """Return the RGB images, (n, 3, h, w) in [0, 1], of hue (any number; whole ones are red), saturation and value."""
    hue, saturation, value = images[:, :1], images[:, 1:2], images[:, 2:]
    corner = torch.tensor([5.0, 3.0, 1.0]).to(images)[:, None, None]
    sector = (corner + 6 * hue).remainder(6)
    missing = torch.minimum(sector, 4 - sector).clamp(0, 1)
    return value - value * saturation * missing
