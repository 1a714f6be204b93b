"""Super-resolution networks by name: family:FEATURESxDEPTH."""

import re

from torch import Tensor, nn
from torch.nn.functional import interpolate

from natadv.errors import ConfigError
from natadv.models.super_resolution.compact import CompactSr
from natadv.models.super_resolution.edsr import Edsr

EDSR_BASELINE = "edsr:64x16"
"""The paper's (Lim et al. 2017, Table 1)."""

DEFAULT_NETWORK = "compact:8x2"
"""For a small classifier of small pictures, beside which every operation counts."""

PHOTOGRAPH_NETWORK = "compact:32x4"
"""For a classifier of photographs at 224 px, which has more to lose and beside which this is still little."""

FAMILIES = ("edsr", "compact", "separable")
_NAME = re.compile(r"(?P<family>[a-z]+):(?P<features>[1-9]\d*)x(?P<depth>[1-9]\d*)")


class Bicubic(nn.Module):
    """Bicubic interpolation to twice the sides (Keys 1981), which needs no training."""

    def forward(self, batch: Tensor) -> Tensor:
        """Map pictures, (n, 3, h, w), to pictures, (n, 3, 2 h, 2 w), not clipped."""
        return interpolate(batch, scale_factor=2, mode="bicubic", align_corners=False)


def create_super_resolution(name: str) -> nn.Module:
    """Build a network with fresh weights from torch's random generator.

    Args:
        name: "bicubic"; "edsr:FEATURESxBLOCKS"; "compact:FEATURESxLAYERS"; or "separable:FEATURESxLAYERS", the same
            with separable convolutions.

    Raises:
        ConfigError: if there is no such network.
    """
    if name == "bicubic":
        return Bicubic()
    match = _NAME.fullmatch(name)
    if match is None or match["family"] not in FAMILIES:
        families = ", ".join(f"{family}:FEATURESxDEPTH" for family in FAMILIES)
        raise ConfigError(f"super-resolution {name!r}: expected bicubic, {families}, as {EDSR_BASELINE}")
    features, depth = int(match["features"]), int(match["depth"])
    if match["family"] == "edsr":
        return Edsr(features, depth)
    try:
        return CompactSr(features, depth, separable=match["family"] == "separable")
    except ValueError as error:
        raise ConfigError(f"super-resolution {name!r}: {error}") from error
