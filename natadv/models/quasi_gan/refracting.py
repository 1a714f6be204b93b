"""RefractingGenerator: G(b, z) of the `natadv` recipe, whose drops bend the scene as water does.

z is a map of 4 x 4 cells, 4 numbers each (64 in all): a cell can say whether a drop is there, where in it and how
large, which a plain vector cannot say without describing the whole picture at once. A convolutional decoder turns it
into the opacity m and the thickness t of the water. What a drop shows is the scene itself, looked up where a thin
prism of slope grad t throws the ray, dimmed and lightened as features of scene and water say:

    o' = b (1 - m) + m (gain * scene(p + throw * grad t) + light)
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from natadv.models.quasi_gan.blocks import Normed, doubled, positions

LATENT_DIM = 64
_CELLS, _PER_CELL = 4, 4
_FIELD_PX = 32  # side of the maps of water, which are smooth; their edges sharpen after enlarging
_SCENE_PX = 32  # side of the copy in which rays are looked up: a drop shows the scene smaller
_FARTHEST = 0.8  # of the picture's half width, that a ray is thrown


class RefractingGenerator(nn.Module):
    """Drops that refract; works on pictures of any size.

    Args:
        width: channels of the coarsest layer; the others follow.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.width = width
        mid, fine, last = width * 3 // 4, width // 2, width // 4
        self.coarse = nn.ModuleList(
            [Normed(_PER_CELL, width), Normed(width, width), Normed(width, mid), Normed(mid, fine)]
        )
        self.scene = nn.Sequential(Normed(3, last, kernel=5, stride=2), Normed(last, last))
        self.water = Normed(fine, last)
        self.water_head = nn.Conv2d(last, 2, 3, padding=1)
        self.fused = nn.Sequential(Normed(fine + last, last), Normed(last, last))
        self.look_head = nn.Conv2d(last, 4, 3, padding=1)
        # At the start: thin, half-opaque water that neither dims nor shines, so that the warp is learnt first.
        nn.init.constant_(self.water_head.bias, -1.0)
        nn.init.zeros_(self.look_head.weight)
        with torch.no_grad():
            self.look_head.bias.copy_(torch.tensor([0.0, -4.0, -4.0, -4.0]))

    @property
    def latent_dim(self) -> int:
        """Length of a code, the paper's 64."""
        return LATENT_DIM

    def forward(self, images: Tensor, z: Tensor) -> Tensor:
        """Return images, (n, 3, h, w), RGB in [0, 1], behind the drops of codes, (n, 64)."""
        return self.composed(images, z)[0]

    def composed(self, images: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the wet images and the drops' opacity, (n, 1, h, w), 0..1."""
        height, width = images.shape[2:]
        field = functional.interpolate(images, (2 * _FIELD_PX, 2 * _FIELD_PX), mode="area")
        trunk = self._trunk(z)
        water = self.water_head(self.water(trunk))
        look = self.look_head(self.fused(torch.cat([trunk, self.scene(field)], 1)))
        maps = torch.cat([water[:, :1], self._thrown(water[:, 1:]), look], 1)
        maps = functional.interpolate(maps, (height, width), mode="bilinear", align_corners=False)
        opacity, thrown, gain, light = maps.split((1, 2, 1, 3), 1)
        opacity, gain, light = opacity.sigmoid(), 2 * gain.sigmoid(), light.sigmoid()
        small = functional.interpolate(images, (_SCENE_PX, _SCENE_PX), mode="area")
        where = positions(height, width, images) + thrown.permute(0, 2, 3, 1)
        seen = functional.grid_sample(small, where, padding_mode="reflection", align_corners=False)
        layer = (gain * seen + light).clamp(0, 1)
        return images * (1 - opacity) + layer * opacity, opacity

    def _trunk(self, z: Tensor) -> Tensor:
        """Return features of the drops, (n, c, 32, 32)."""
        x = z.view(-1, _PER_CELL, _CELLS, _CELLS)
        x = self.coarse[0](x)
        for layer in self.coarse[1:]:
            x = layer(doubled(x))
        return x

    @staticmethod
    def _thrown(thickness: Tensor) -> Tensor:
        """Return how far rays are thrown, x and y, (n, 2, h, w), in half widths: towards thicker water."""
        padded = functional.pad(functional.softplus(thickness), (1, 1, 1, 1), mode="replicate")
        across = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
        down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
        return _FARTHEST * torch.tanh(torch.cat([across, down], 1))
