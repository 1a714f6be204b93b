"""RefractingGenerator: G(b, z) of the `natadv` recipe, whose drops bend the scene as water does.

`DropMap` says where there is water. What a drop shows is the scene itself, looked up where the slope of the water's
thickness t throws the ray, dimmed and lightened as shallow features of scene and water say (Fig. 1 of Liu et al. 2023):

    o' = b (1 - m) + m (gain * scene(p + throw * grad t) + light)
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from natadv.models.quasi_gan.blocks import Normed, positions
from natadv.models.quasi_gan.drop_map import LATENT_DIM, DropMap

_FIELD_PX = 64  # side of the maps of water; larger pictures get them enlarged
_SCENE_PX = 32  # side of the copy in which rays are looked up: a drop shows the scene smaller
_FARTHEST = 0.9  # half widths of the picture that a ray is thrown at most
_LOOK = 6  # opacity's correction, its sharpness, gain, and light of three colours


class RefractingGenerator(nn.Module):
    """Drops that refract; works on pictures of any size.

    Args:
        width: channels of the cells' features; the others follow.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.width = width
        fine, last = width // 2, width // 4
        self.drops = DropMap(width)
        self.throw = nn.Parameter(torch.tensor(0.05))
        self.cells = nn.Conv2d(width, last, 1)
        self.scene = nn.Sequential(Normed(3, last, kernel=5, stride=2), Normed(last, last))
        self.fused = nn.Sequential(Normed(2 * last + 3, fine), Normed(fine, last), Normed(last, last))
        self.look = nn.Conv2d(last, _LOOK, 3, padding=1)
        # At the start: water that neither dims nor shines, with the edges of `DropMap`.
        nn.init.normal_(self.look.weight, std=0.01)
        with torch.no_grad():
            self.look.bias.copy_(torch.tensor([0.0, 0.0, 0.0, -4.0, -4.0, -4.0]))

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
        water, cells = self.drops(z, _FIELD_PX)
        thrown = self._thrown(water)
        seen = functional.interpolate(images, (_FIELD_PX, _FIELD_PX), mode="area")
        half = functional.avg_pool2d(torch.cat([water.clamp(-2, 2), thrown], 1), 2)
        near = functional.interpolate(self.cells(cells), half.shape[2:], mode="bilinear", align_corners=False)
        look = self.look(self.fused(torch.cat([half, near, self.scene(seen)], 1)))
        look = functional.interpolate(look, (_FIELD_PX, _FIELD_PX), mode="bilinear", align_corners=False)
        sharp = 1.5 + 10 * look[:, 1:2].sigmoid()
        # The correction may shape an edge; it is too weak to make water where there is none.
        maps = torch.cat([water.clamp(min=-3) * sharp + torch.tanh(look[:, :1]), thrown, look[:, 2:]], 1)
        if (height, width) != (_FIELD_PX, _FIELD_PX):
            maps = functional.interpolate(maps, (height, width), mode="bilinear", align_corners=False)
        opacity, thrown, gain, light = maps.split((1, 2, 1, 3), 1)
        opacity = opacity.sigmoid()
        small = functional.interpolate(images, (_SCENE_PX, _SCENE_PX), mode="area")
        where = positions(height, width, images) + thrown.permute(0, 2, 3, 1)
        bent = functional.grid_sample(small, where, padding_mode="reflection", align_corners=False)
        layer = (2 * gain.sigmoid() * bent + light.sigmoid()).clamp(0, 1)
        return images * (1 - opacity) + layer * opacity, opacity

    def _thrown(self, water: Tensor) -> Tensor:
        """Return how far rays are thrown, x and y, (n, 2, h, w), in half widths: towards thicker water."""
        thickness = (functional.softplus(8 * water) / 8 + 0.05).sqrt()
        padded = functional.pad(thickness, (1, 1, 1, 1), mode="replicate")
        across = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
        down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
        slope = torch.cat([across, down], 1) * (water.shape[-1] / 4)
        return _FARTHEST * torch.tanh(self.throw * slope / _FARTHEST)
