"""LiteralGenerator: G(b, z) as Liu et al. 2023, Fig. 1 and Sec. 3.2.1, draw and tell it.

Convolutions take shallow features of the clean image, a linear layer and convolutions turn z into a map, the two are
put together, and convolutions paint the whole raindrop image. Widths, kernels and normalisation are not told: batch
normalisation and transposed convolutions are what such networks had.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from natadv.models.quasi_gan.drop_map import LATENT_DIM

_START_PX = 8
_FIELD_PX = 64


def _up(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.BatchNorm2d(outputs), nn.ReLU())


def _same(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())


class LiteralGenerator(nn.Module):
    """Paints the raindrop image; pictures of other sizes than 64 px get enlarged features of z.

    Args:
        width: channels of the coarsest layer.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.width = width
        last = width // 4
        self.start = nn.Linear(LATENT_DIM, width * _START_PX**2)
        self.noise = nn.Sequential(_up(width, width // 2), _up(width // 2, last), _up(last, last))
        self.shallow = nn.Sequential(_same(3, last), _same(last, last))
        self.paint = nn.Sequential(
            _same(2 * last, width // 2), _same(width // 2, last), nn.Conv2d(last, 3, 3, padding=1)
        )

    @property
    def latent_dim(self) -> int:
        """Length of a code, the paper's 64."""
        return LATENT_DIM

    def forward(self, images: Tensor, z: Tensor) -> Tensor:
        """Return images, (n, 3, h, w), RGB in [0, 1], behind the drops of codes, (n, 64)."""
        noise = self.noise(self.start(z).view(len(z), -1, _START_PX, _START_PX))
        if images.shape[2:] != (_FIELD_PX, _FIELD_PX):
            noise = functional.interpolate(noise, images.shape[2:], mode="bilinear", align_corners=False)
        return self.paint(torch.cat([self.shallow(images), noise], 1)).sigmoid()
