"""How far images were changed, image by image."""

from dataclasses import dataclass

import torch
from torch import Tensor

VISIBLE = 8 / 255
"""A pixel is covered where one of its colours changed by more."""

_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Perturbation:
    """The size of n changes, each (n,).

    Attributes:
        mean: of |x' - x| over all values, 0..1.
        p95: its 95th percentile, 0..1.
        coverage: share of the pixels with a colour that changed by more than `VISIBLE`.
        l2: length of the change over all values.
        linf: largest change of a value, 0..1.
    """

    mean: Tensor
    p95: Tensor
    coverage: Tensor
    l2: Tensor
    linf: Tensor


@torch.no_grad()
def perturbation(clean: Tensor, changed: Tensor) -> Perturbation:
    """Measure the change from `clean` to `changed`, both (n, 3, h, w), RGB in [0, 1].

    Raises:
        ValueError: if they differ in shape.
    """
    if clean.shape != changed.shape or clean.ndim != 4:
        raise ValueError(f"expected two batches of one shape, got {tuple(clean.shape)} and {tuple(changed.shape)}")
    change = (changed - clean).abs()
    values = change.flatten(1)
    return Perturbation(
        mean=values.mean(1),
        # One image at a time: torch.quantile takes 16 million values at most.
        p95=torch.stack([image.quantile(0.95) for image in values]) if len(values) else values.new_empty(0),
        coverage=(change.amax(1) > VISIBLE + _ROUNDING).flatten(1).float().mean(1),
        l2=values.norm(dim=1),
        linf=values.amax(1),
    )
