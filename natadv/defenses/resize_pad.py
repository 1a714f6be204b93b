"""Random resizing and padding (Xie et al. 2018, "Mitigating adversarial effects through randomization", Sec. 3).

A picture of side 299 becomes one of 310 to 330, put at random on a black one of 331; other sides in proportion. A
classifier of a fixed input size shrinks that again.
"""

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import affine_grid, grid_sample

_SIDE, _SMALLEST, _CANVAS = 299, 310, 331  # px, Sec. 4.1


class ResizePad(nn.Module):
    """Random resizing and padding; each picture has its own size and place."""

    randomised = True
    differentiable = True

    def forward(self, batch: Tensor, chance: Generator) -> Tensor:
        """Map pictures, (n, c, h, w), to larger ones, 331/299 of each side, drawing from a generator on the CPU.

        Nearest pixels, as the authors' code resizes.
        """
        n, channels, *sides = batch.shape
        canvas = [-(-side * _CANVAS // _SIDE) for side in sides]
        # One scale for both sides keeps proportions; a place for each side.
        smallest = [-(-side * _SMALLEST // _SIDE) for side in sides]
        largest = [max(small, whole - 1) for small, whole in zip(smallest, canvas, strict=True)]
        drawn = torch.rand(n, 3, generator=chance)
        sizes = [
            (small + torch.floor(drawn[:, 0] * (large - small + 1))).clamp(max=large)
            for small, large in zip(smallest, largest, strict=True)
        ]
        tops = [
            torch.floor(place * (whole - size + 1)).clamp(max=whole - size)
            for place, whole, size in zip(drawn[:, 1:].unbind(1), canvas, sizes, strict=True)
        ]
        # In the sampler's units a picture spans -1..1: canvas position u maps to scale * u + offset.
        (scale_y, offset_y), (scale_x, offset_x) = (
            (whole / size, (whole - size - 2 * top) / size)
            for whole, size, top in zip(canvas, sizes, tops, strict=True)
        )
        zero = torch.zeros(n)
        rows = [torch.stack([scale_x, zero, offset_x], 1), torch.stack([zero, scale_y, offset_y], 1)]
        maps = torch.stack(rows, 1).to(batch)
        grid = affine_grid(maps, [n, channels, *canvas], align_corners=False)
        return grid_sample(batch, grid, mode="nearest", padding_mode="zeros", align_corners=False)
