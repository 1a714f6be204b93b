"""OpticsGenerator: wet glass as a generator of raindrop images, differentiable in a latent code that is the drops.

Algorithm 1 of AdvRD ascends over it exactly as over a GAN, but what it moves are real quantities: where the drops
sit, how large, how steep and how ragged they are, and how bright the room is. What it finds is a drop layout that
`natadv.raindrops` renders too, and a rig can show.
"""

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from natadv.models.optics.glass import Glass
from natadv.models.optics.population import Population, latent_length, population_of
from natadv.raindrops.drops import Drops
from natadv.raindrops.layer import lookup_reduction
from natadv.raindrops.layout import Layout
from natadv.raindrops.light import GAMMA
from natadv.raindrops.optics import Optics
from natadv.raindrops.presets import PRESETS

PICTURE_MM = 240.0
"""Longer side of the picture on the screen, as rigs/simulated.yaml has it: what is found here can be put there."""

_RENDERED_PX = 128  # least longer side at which drops are rendered
_DARKEST = 1e-6  # linear light whose 8-bit code is 0; the root of less has no slope


class OpticsGenerator(nn.Module):
    """A camera before pictures of one size behind wet plates.

    Attributes:
        size: height and width of the pictures, px.
        wetness: name of the preset that says what drops a plate has and where it stands.
        drops: how many drops are on the part of the plate that the camera sees.
        plate_mm: width and height of that part.
        ambient: linear light around the picture, of its white; None where the code says it.
    """

    def __init__(
        self, size: tuple[int, int], wetness: str = "medium", *, amount: float = 1.0, ambient: float | None = None
    ) -> None:
        """Set up the bench.

        Args:
            size: height and width of the pictures, px.
            wetness: a preset of `natadv.raindrops.presets`.
            amount: length of the spray, in the preset's own; scales the number of drops.
            ambient: light around the picture, of its white, where it stays as it is, as a rig's `screen: ground`;
                None for surroundings from dark to bright, one a code.

        Raises:
            ValueError: if the size or the amount is not positive, the light is negative, or there is no such preset.
        """
        super().__init__()
        if min(size) < 1 or not (math.isfinite(amount) and amount > 0):
            raise ValueError(f"expected a size and an amount above 0, got {size} and {amount}")
        if ambient is not None and not 0 <= ambient < math.inf:
            raise ValueError(f"expected an ambient light of 0 or more, got {ambient}")
        if wetness not in PRESETS:
            raise ValueError(f"expected one of {', '.join(PRESETS)}, got {wetness!r}")
        self.size, self.wetness, self.ambient = (int(size[0]), int(size[1])), wetness, ambient
        kind = PRESETS[wetness]
        self._spray = kind.drops
        self._zoom = max(1, math.ceil(_RENDERED_PX / max(size)))
        height, width = (side * self._zoom for side in self.size)
        view_mm = PICTURE_MM * width / max(width, height)
        self.optics = kind.on(Optics(width_px=width, height_px=height, view_mm=view_mm))
        self.plate_mm = (width / self.optics.px_per_mm_glass, height / self.optics.px_per_mm_glass)
        expected = amount * kind.drops.drops_per_mm2 * self.plate_mm[0] * self.plate_mm[1]
        self.drops = max(1, round(expected))
        sample = Drops.empty((240.0, 240.0)).sprayed(np.random.default_rng(0), kind.drops)
        reduction = lookup_reduction(sample, self.optics, 1)
        self._glass = Glass(self.optics, typical_mm=kind.drops.radius_mm, reduction=reduction)

    @property
    def latent_dim(self) -> int:
        """Length of a code: the room's light and ten numbers a drop."""
        return latent_length(self.drops)

    def population(self, z: Tensor) -> Population:
        """Return the drops that codes, (n, d), describe."""
        drops = population_of(z, self._spray, self.plate_mm)
        if self.ambient is None:
            return drops
        return replace(drops, ambient=torch.full_like(drops.ambient, self.ambient))

    def layout(self, z: Tensor) -> Layout:
        """Return the drops of one code, (d,), and their bench, for `natadv.raindrops` or a rig."""
        population = self.population(z[None])
        return Layout(
            population.drops(0, self.plate_mm),
            glass_mm=self.optics.glass_mm,
            aperture_mm=self.optics.aperture_mm,
            picture_mm=PICTURE_MM,
            ambient=round(float(population.ambient[0]), 4),
        )

    def forward(self, images: Tensor, z: Tensor) -> Tensor:
        """Return images, (n, 3, h, w), RGB in [0, 1], behind the drops of codes, (n, d).

        Raises:
            ValueError: if the images have another size, or the codes another length or number.
        """
        if tuple(images.shape[1:]) != (3, *self.size):
            raise ValueError(f"expected images (n, 3, {self.size[0]}, {self.size[1]}), got {tuple(images.shape)}")
        if tuple(z.shape) != (len(images), self.latent_dim):
            raise ValueError(f"expected codes ({len(images)}, {self.latent_dim}), got {tuple(z.shape)}")
        linear = images.clamp(0, 1) ** GAMMA
        if self._zoom > 1:
            linear = functional.interpolate(linear, scale_factor=self._zoom, mode="nearest")
        seen, _ = self._glass(linear, self.population(z))
        if self._zoom > 1:
            seen = functional.avg_pool2d(seen, self._zoom)
        return seen.clamp(_DARKEST, 1) ** (1 / GAMMA)
