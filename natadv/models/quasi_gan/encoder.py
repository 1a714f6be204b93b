"""Encoder: E(o), the code of the drops on a raindrop image as a Gaussian (Liu et al. 2023, Eq. 3)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from natadv.models.quasi_gan.blocks import Normed
from natadv.models.quasi_gan.drop_map import LATENT_DIM

_FIELD_PX = 64


class Encoder(nn.Module):
    """Mean and log-variance of z.

    Args:
        width: channels of the coarsest layer.
        sees_clean: whether it is also shown what the drops changed, o - b. The paper's sees o alone, and has to
            tell drops from scenery first.
        spatial: keeps the picture's layout, as `RefractingGenerator` reads codes; otherwise a linear layer.
    """

    def __init__(self, width: int = 64, *, sees_clean: bool = True, spatial: bool = True) -> None:
        super().__init__()
        self.sees_clean, self.spatial = sees_clean, spatial
        inputs = 6 if sees_clean else 3
        self.layers = nn.Sequential(
            Normed(inputs, width // 2, kernel=5, stride=2),
            Normed(width // 2, width * 3 // 4, stride=2),
            Normed(width * 3 // 4, width, stride=2),
            Normed(width, width, stride=2),
        )
        self.head: nn.Module = nn.Conv2d(width, LATENT_DIM // 16 * 2, 1)
        if not spatial:
            self.head = nn.Sequential(nn.Flatten(), nn.Linear(width * 16, 2 * LATENT_DIM))

    def forward(self, rain: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance, (n, 64) each, of raindrop images, (n, 3, h, w), and their clean sides."""
        seen = torch.cat([rain, rain - clean], 1) if self.sees_clean else rain
        seen = functional.interpolate(seen, (_FIELD_PX, _FIELD_PX), mode="area")
        mean, log_variance = self.head(self.layers(seen)).chunk(2, 1)
        return mean.flatten(1), log_variance.flatten(1).clamp(-8, 4)
