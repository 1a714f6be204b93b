"""EDSR: residual blocks without batch normalisation, then pixel shuffle (Lim et al. 2017, Sec. 3, Table 1).

Twice the sides. The baseline has 16 blocks of 64 features, 1.37 million parameters, and no residual scaling.
"""

import torch
from torch import Tensor, nn


class _Block(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(features, features, 3, padding=1)
        self.second = nn.Conv2d(features, features, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(torch.relu(self.first(x)))


class Edsr(nn.Module):
    """EDSR that doubles the sides of a picture.

    Args:
        features: channels of every convolution.
        blocks: residual blocks.
    """

    def __init__(self, features: int = 64, blocks: int = 16) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, features, 3, padding=1)
        self.body = nn.Sequential(
            *(_Block(features) for _ in range(blocks)), nn.Conv2d(features, features, 3, padding=1)
        )
        self.tail = nn.Sequential(
            nn.Conv2d(features, 4 * features, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(features, 3, 3, padding=1)
        )

    def forward(self, batch: Tensor) -> Tensor:
        """Map pictures, (n, 3, h, w), RGB in [0, 1], to pictures, (n, 3, 2 h, 2 w), not clipped."""
        shallow = self.head(batch - 0.5)
        return self.tail(shallow + self.body(shallow)) + 0.5
