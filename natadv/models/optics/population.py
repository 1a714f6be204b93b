"""Population: latent codes to drops on a plate, such that codes from N(0, I) give what a spray leaves.

Each number of a drop is the quantile of its distribution in `DropParameters` at its latent's normal rank. So every
code, optimised or not, is a layout within the spray's physical bounds, and a step of 0.05 surprises as much in each.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from natadv.raindrops.drops import HARMONICS, DropParameters, Drops
from natadv.raindrops.photograph import SURROUND

PER_DROP = 4 + 2 * len(HARMONICS)
"""Latents of one drop: x, y, radius, contact angle, and the raggedness of its contact line."""

_DECAY = (1.0, 0.7, 0.5)  # of the harmonics, as surface tension smooths the higher ones
_LEAST_RADIUS_MM = 0.2
_MOST_RAGGED = 0.25


@dataclass(frozen=True, slots=True)
class Population:
    """Drops on the plates before n cameras, K on each; differentiable in the codes they came from.

    Attributes:
        x_mm: middle of each drop, right of the plate's middle, (n, K).
        y_mm: the same downwards.
        radius_mm: of the circle of the area of its contact line, (n, K).
        contact_rad: contact angle, (n, K).
        ragged: amplitudes of the contact line's harmonics, cosine and minus sine, in radii, (n, K, harmonics, 2).
        ambient: linear light around the picture, (n,).
    """

    x_mm: Tensor
    y_mm: Tensor
    radius_mm: Tensor
    contact_rad: Tensor
    ragged: Tensor
    ambient: Tensor

    def drops(self, index: int, plate_mm: tuple[float, float]) -> Drops:
        """Return the drops of one image for the renderer of natadv/raindrops, or a rig: no film, at the home pose."""
        columns = (self.x_mm, self.y_mm, self.radius_mm, torch.rad2deg(self.contact_rad))
        ragged = self.ragged[index].detach().cpu().numpy()
        return Drops(
            plate_mm,
            *(column[index].detach().cpu().numpy().astype(np.float32) for column in columns),
            ragged=(ragged[..., 0] + 1j * ragged[..., 1]).astype(np.complex64),
        )


def latent_length(drops: int) -> int:
    """Return the length of a code for this many drops: the room's light, then `PER_DROP` a drop."""
    return 1 + PER_DROP * drops


def population_of(z: Tensor, parameters: DropParameters, plate_mm: tuple[float, float]) -> Population:
    """Return the drops that codes, (n, d), describe on plates of width and height `plate_mm`.

    Fine mist, trails and the film between the drops are left out.

    Raises:
        ValueError: if d is no length of a code.
    """
    if z.ndim != 2 or (z.shape[1] - 1) % PER_DROP or z.shape[1] <= 1:
        raise ValueError(f"expected codes (n, 1 + {PER_DROP} * drops), got {tuple(z.shape)}")
    each = z[:, 1:].view(len(z), -1, PER_DROP)
    rank = torch.special.ndtr(each[..., :2]) - 0.5
    size = math.log(parameters.radius_mm) + parameters.radius_spread * each[..., 2]
    radius = size.exp().clamp(_LEAST_RADIUS_MM, parameters.max_radius_mm)
    contact = (parameters.contact_deg + parameters.contact_spread_deg * each[..., 3]).clamp(8, 85)
    low, high = SURROUND
    return Population(
        x_mm=rank[..., 0] * plate_mm[0],
        y_mm=rank[..., 1] * plate_mm[1],
        radius_mm=radius,
        contact_rad=torch.deg2rad(contact),
        ragged=_ragged(each[..., 4:].unflatten(-1, (len(HARMONICS), 2)), radius, parameters.raggedness),
        ambient=low * (high / low) ** torch.special.ndtr(z[:, 0]),
    )


def _ragged(normal: Tensor, radius_mm: Tensor, raggedness: float) -> Tensor:
    """Return the harmonics' amplitudes; drops below a millimetre are rounder."""
    norm = math.sqrt(sum(share**2 for share in _DECAY))
    decay = normal.new_tensor(_DECAY)[:, None] / norm
    waves = raggedness * decay * normal * radius_mm.clamp(max=1.0)[..., None, None]
    amplitude = (waves.square().sum(-1, keepdim=True) + 1e-12).sqrt()
    return waves / (amplitude / _MOST_RAGGED).clamp(min=1)
