"""The light detector: what a device can afford beside its classifier.

A fixed block DCT of luma and of a part of the chroma, as one strided convolution; the root of its magnitudes in levels,
whose small differences count most; a small network over the blocks. Noise that an attack adds lifts coefficients that
photographs leave near zero; drops, out of focus on the glass, lower them.
"""

import copy
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from natadv.attacks.block_dct import SIDE_PX, images_of

NAME: Final = "light"
_COLOURS: Final = ((0.299, 0.587, 0.114), (-0.169, -0.331, 0.5), (0.5, -0.419, -0.081))
"""Luma and the two chroma, by RGB, as JPEG has them (ITU-T T.871)."""
_CHROMA: Final = 8
"""Of each chroma's frequencies, the lowest so many and the highest so many are looked at: half the time is saved."""


class LightNetwork(nn.Module):
    """Maps a batch, float (n, 3, h, w), RGB in [0, 1], to logits, (n, classes).

    Args:
        classes: how many.
        width: channels of each block's description.
        wider: channels of what is then averaged, and of which the largest is taken, over the blocks.
    """

    kernels: Tensor

    def __init__(self, classes: int, *, width: int = 24, wider: int = 32) -> None:
        super().__init__()
        self.register_buffer("kernels", _kernels())
        count = len(self.kernels)
        self.blocks = nn.Sequential(
            nn.BatchNorm2d(count, affine=False),
            nn.Conv2d(count, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, wider, 3, padding=1, bias=False),
            nn.BatchNorm2d(wider),
            nn.ReLU(),
        )
        self.head = nn.Linear(2 * wider, classes)

    def forward(self, batch: Tensor) -> Tensor:
        """Map a batch to logits; a side that is no multiple of 8 is extended by its last row or column."""
        below, right = -batch.shape[-2] % SIDE_PX, -batch.shape[-1] % SIDE_PX
        if below or right:
            batch = pad(batch, (0, right, 0, below), mode="replicate")
        waves = conv2d(batch, self.kernels, stride=SIDE_PX)
        # The root of nothing has no gradient; one level more does not show.
        seen = self.blocks((waves.abs() + 1).sqrt())
        return self.head(torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], 1))

    def folded(self) -> "LightNetwork":
        """Return what computes the same in eval mode with its first norm in the convolution after it."""
        found = copy.deepcopy(self)
        norm, first, *rest = found.blocks
        scale = (norm.running_var + norm.eps).rsqrt()
        folded = nn.Conv2d(first.in_channels, first.out_channels, 1)
        with torch.no_grad():
            folded.weight.copy_(first.weight * scale[:, None, None])
            folded.bias.copy_(-(first.weight[:, :, 0, 0] * (scale * norm.running_mean)).sum(1))
        found.blocks = nn.Sequential(folded, *rest)
        return found


def _kernels() -> Tensor:
    """Return what takes RGB in [0, 1] to coefficients in levels, (k, 3, 8, 8)."""
    # In 64 bits: the middle grey that the transform takes off would leave its rounding in 32.
    one_each = torch.eye(SIDE_PX**2, dtype=torch.float64).view(-1, 1, 1, 1, SIDE_PX, SIDE_PX)
    waves = images_of(one_each, (SIDE_PX, SIDE_PX)) - images_of(torch.zeros_like(one_each), (SIDE_PX, SIDE_PX))
    order = sorted(range(SIDE_PX**2), key=lambda place: sum(divmod(place, SIDE_PX)))
    kept = (order, order[:_CHROMA] + order[-_CHROMA:], order[:_CHROMA] + order[-_CHROMA:])
    found = [
        torch.tensor(colour)[None, :, None, None] * waves[places] for colour, places in zip(_COLOURS, kept, strict=True)
    ]
    return 255 * torch.cat(found).float()
