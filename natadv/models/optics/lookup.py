"""Lookup: light at any point of a picture and of the room around it, differentiable in where one looks."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from natadv.raindrops.scene import SURROUND


@dataclass(frozen=True, slots=True)
class Lookup:
    """Small wide copies of n scenes, as `natadv.raindrops.scene.Scene.lookup` makes of one.

    Attributes:
        light: linear light, (n * h * w, 3), rows of pixels.
        size: h and w of each copy.
        scale: its pixels per picture pixel, x and y.
        offset: where picture pixel (0, 0) is in it, x and y.
    """

    light: Tensor
    size: tuple[int, int]
    scale: tuple[float, float]
    offset: tuple[float, float]

    def at(self, picture: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Return the light, (m, 3), at picture pixels (x, y) of the m scenes of index `picture`."""
        height, width = self.size
        at_x = (x * self.scale[0] + self.offset[0]).clamp(0, width - 1.001)
        at_y = (y * self.scale[1] + self.offset[1]).clamp(0, height - 1.001)
        left, top = at_x.detach().long(), at_y.detach().long()
        right, down = (at_x - left)[:, None], (at_y - top)[:, None]
        corner = (picture * height + top) * width + left
        above = torch.lerp(self._row(corner), self._row(corner + 1), right)
        below = torch.lerp(self._row(corner + width), self._row(corner + width + 1), right)
        return torch.lerp(above, below, down)

    def _row(self, index: Tensor) -> Tensor:
        return self.light.index_select(0, index)


def lookup_of(linear: Tensor, ambient: Tensor, reduction: int) -> Lookup:
    """Return copies of scenes, (n, 3, h, w), in which one pixel averages `reduction` pixels each way.

    Args:
        linear: the scenes' linear light.
        ambient: linear light all around each, (n,).
        reduction: at least 1.
    """
    count, _, height, width = linear.shape
    inner_h, inner_w = max(1, round(height / reduction)), max(1, round(width / reduction))
    pad_x, pad_y = (-(-int(side * (SURROUND - 1)) // 2) for side in (inner_w, inner_h))
    inner = functional.interpolate(linear, (inner_h, inner_w), mode="area")
    outer = ambient[:, None, None, None].expand(count, 3, inner_h + 2 * pad_y, inner_w + 2 * pad_x)
    mask = functional.pad(torch.ones_like(inner), (pad_x, pad_x, pad_y, pad_y))
    light = torch.where(mask > 0, functional.pad(inner, (pad_x, pad_x, pad_y, pad_y)), outer)
    scale = (inner_w / width, inner_h / height)
    offset = (0.5 * scale[0] - 0.5 + pad_x, 0.5 * scale[1] - 0.5 + pad_y)
    size = (light.shape[2], light.shape[3])
    return Lookup(light.permute(0, 2, 3, 1).reshape(-1, 3), size, scale, offset)
