"""The light detector: what a device can afford beside its classifier.

A fixed block DCT of most of luma and a part of the chroma, as one strided convolution; the root of its magnitudes in
levels, whose small differences count most; a small network over the blocks. Noise that an attack adds lifts
coefficients that photographs leave near zero; drops, out of focus on the glass, lower them.

All counts are multiples of 16, in which a CPU with wide registers reckons.
"""

import copy
from collections.abc import Mapping
from typing import Final, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from natadv.attacks.block_dct import SIDE_PX, images_of

NAME: Final = "light"
_COLOURS: Final = ((0.299, 0.587, 0.114), (-0.169, -0.331, 0.5), (0.5, -0.419, -0.081))
"""Luma and the two chroma, by RGB, as JPEG has them (ITU-T T.871)."""
_LUMA: Final = 48
"""So many of luma's 64 frequencies, evenly from the lowest to the highest, are looked at: of some that are each other's
mirror image, one alone."""
_CHROMA: Final = 4
"""Of each chroma's, the lowest so many and the highest so many."""


class LightNetwork(nn.Module):
    """Maps a batch, float (n, 3, h, w), RGB in [0, 1], to logits, (n, classes).

    Args:
        classes: how many.
        width: channels of each block's description.
        wider: channels of what is then averaged, and of which the largest is taken, over the blocks.
        kernels: what takes RGB in [0, 1] to coefficients in levels, (k, 3, 8, 8), where they are not today's.
    """

    kernels: Tensor

    def __init__(self, classes: int, *, width: int = 16, wider: int = 16, kernels: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("kernels", _kernels() if kernels is None else kernels)
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

    @classmethod
    def shaped_as(cls, weights: Mapping[str, Tensor], classes: int) -> Self:
        """Return a network that takes weights that were kept; those of older versions are larger."""
        width, wider = (len(weights[f"blocks.{place}.weight"]) for place in (1, 4))
        return cls(classes, width=width, wider=wider, kernels=weights["kernels"].clone())

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
    luma = [order[round(place * (SIDE_PX**2 - 1) / (_LUMA - 1))] for place in range(_LUMA)]
    chroma = order[:_CHROMA] + order[-_CHROMA:]
    kept = zip(_COLOURS, (luma, chroma, chroma), strict=True)
    found = [torch.tensor(colour)[None, :, None, None] * waves[places] for colour, places in kept]
    return 255 * torch.cat(found).float()
