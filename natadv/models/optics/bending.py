"""Bending: deflection and transmission of natadv/raindrops/refraction.py as tables that torch differentiates.

Snell's law has no gradient where reflection becomes total; linear interpolation in the tilt has one everywhere.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from natadv.raindrops.optics import Optics
from natadv.raindrops.refraction import deflection, transmission

_ENTRIES = 1024


class Bending(nn.Module):
    """What water of some slope does to a ray, on one side of a plate."""

    table: Tensor

    def __init__(self, optics: Optics) -> None:
        super().__init__()
        slope = np.tan(np.linspace(0, math.pi / 2, _ENTRIES, endpoint=False))
        bent = deflection(slope, optics.water_index, optics.wet_side)
        passed = transmission(slope, optics.water_index, optics.wet_side)
        self.register_buffer(
            "table", torch.from_numpy(np.stack([bent, passed], 1).astype(np.float32)), persistent=False
        )

    def forward(self, slope: Tensor) -> tuple[Tensor, Tensor]:
        """Return tan(deflection), x and y, (m, 2), and the share of light passed, (m,), for slopes (m, 2)."""
        steep = (slope.square().sum(1) + 1e-12).sqrt()
        place = steep.atan() * (_ENTRIES / (math.pi / 2))
        entry = place.detach().long().clamp(max=_ENTRIES - 2)
        share = (place - entry).clamp(max=1)[:, None]
        bent, passed = torch.lerp(self.table[entry], self.table[entry + 1], share).unbind(1)
        return slope * (bent / steep)[:, None], passed
