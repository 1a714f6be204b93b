"""Glass: what cameras see through wet plates, as `natadv.raindrops.glass.WetGlass` does, differentiable.

layer = T a scene(q + throw t) + a G, blurred by the defocus disc, over the sharp scene: the same sum in linear light.
Unlike there, the layer is computed at every pixel and there is no film; plates stand at their home pose.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from natadv.models.optics.bending import Bending
from natadv.models.optics.lookup import lookup_of
from natadv.models.optics.population import Population
from natadv.models.optics.surface import surface_of
from natadv.raindrops.defocus import disc
from natadv.raindrops.glint import glint_of
from natadv.raindrops.optics import Optics


class Glass(nn.Module):
    """A bench whose plates may be wet in any way.

    Args:
        optics: the bench; pictures have its size.
        typical_mm: radius of a typical drop; see `surface_of`.
        reduction: of the copies of the scene in which rays are looked up; see
            `natadv.raindrops.layer.lookup_reduction`.
    """

    kernel: Tensor

    def __init__(self, optics: Optics, *, typical_mm: float, reduction: int) -> None:
        super().__init__()
        self.optics, self.typical_mm, self.reduction = optics, typical_mm, reduction
        self.bending = Bending(optics)
        self._glint = glint_of(optics.lamp, optics.water_index, optics.wet_side) if optics.lamp else None
        kernel = torch.from_numpy(disc(optics.blur_px))
        self.register_buffer("kernel", kernel.expand(4, 1, *kernel.shape).clone(), persistent=False)

    def forward(self, linear: Tensor, population: Population) -> tuple[Tensor, Tensor]:
        """Return the view and the drops' opacity, defocused.

        Args:
            linear: scenes in linear light, (n, 3, h, w), 0..1.
            population: the drops before each.

        Returns:
            Linear light, (n, 3, h, w), where glints may exceed 1; opacity, (n, 1, h, w), 0..1.
        """
        layer = self._defocused(self._sharp(linear, population))
        alpha = layer[:, 3:]
        return linear * (1 - alpha) + layer[:, :3], alpha

    def _sharp(self, linear: Tensor, population: Population) -> Tensor:
        """Return the drops as a pinhole would show them: premultiplied light and opacity, (n, 4, h, w)."""
        count, _, height, width = linear.shape
        size = (height, width)
        surface = surface_of(population, size, self.optics.px_per_mm_glass, self.typical_mm)
        bent, passed = self.bending(surface.slope)
        picture, within = surface.pixel // (height * width), surface.pixel % (height * width)
        there = bent * self.optics.throw_px
        x, y = there[:, 0] + within % width, there[:, 1] + within // width
        lookup = lookup_of(linear, population.ambient, self.reduction)
        light = lookup.at(picture, x, y) * passed[:, None] + self._glinting(bent)[:, None]
        wet = torch.cat([light * surface.alpha[:, None], surface.alpha[:, None]], 1)
        rows = wet.new_zeros(count * height * width, 4).index_copy(0, surface.pixel, wet)
        return rows.view(count, height, width, 4).permute(0, 3, 1, 2)

    def _glinting(self, bent: Tensor) -> Tensor:
        """Return the lamp's light where rays are bent so, (m,); `Glint.at` in torch."""
        glint = self._glint
        if glint is None:
            return torch.zeros_like(bent[:, 0])
        off = (bent - bent.new_tensor(glint.centre)).square().sum(1)
        return (1 - off / glint.radius**2).clamp(min=0).square() * glint.peak

    def _defocused(self, layer: Tensor) -> Tensor:
        margin = self.kernel.shape[-1] // 2
        if margin == 0:
            return layer
        return functional.conv2d(layer, self.kernel, padding=margin, groups=4)
