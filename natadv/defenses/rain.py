"""RAIN: random down-sampling, a small circular shift, super-resolution up (Du et al. 2021, Sec. III-D, Fig. 5).

Also its parts alone and in other orders (Tables I, II and VI). All chance enters as whole numbers, `pick` and `shift`:
handed in, so that a deployed graph takes them as inputs and a run can be replayed, or drawn from a generator.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Generator, Tensor, nn

from natadv.defenses.circular_shift import check_shift, circular_shift, draw_shift, shifted_places
from natadv.defenses.random_downsample import check_pick, draw_pick, picked_places, random_downsample, take

Order = Literal["down-shift-up", "shift-down-up", "down-up-shift", "shift", "down-up"]
"""RAIN; RdmSCS-RdmDU; RdmDU-RdmSCS; RdmSCS alone; RdmDU alone."""
ORDERS: tuple[str, ...] = get_args(Order)


@dataclass(frozen=True, slots=True)
class Noise:
    """The chance of one pass.

    Attributes:
        pick: int32, (n, 1 or 3, ceil(h / 2), ceil(w / 2)), 0..3; None where nothing is downsampled.
        shift: int32, (n, 2), pixels of what is shifted; None where nothing is.
    """

    pick: Tensor | None
    shift: Tensor | None


class Rain(nn.Module):
    """RAIN before a classifier: pictures in, pictures of the same size out.

    Attributes:
        upsampler: doubles the sides, (n, 3, h, w) to (n, 3, 2 h, 2 w).
        share: p of the shift, of the sides of what is shifted.
        order: of the parts.
        per_channel: pick a pixel for each channel, as the authors' code does.
    """

    randomised = True
    differentiable = True

    def __init__(
        self, upsampler: nn.Module, *, share: float = 0.05, order: Order = "down-shift-up", per_channel: bool = False
    ) -> None:
        """Put the parts together.

        Raises:
            ValueError: if there is no such order, or `share` is not from 0 to below 1.
        """
        super().__init__()
        if order not in ORDERS:
            raise ValueError(f"expected an order of {', '.join(ORDERS)}, got {order}")
        if not 0 <= share < 1:
            raise ValueError(f"expected a share from 0 to below 1, got {share}")
        self.upsampler = upsampler
        self.share, self.order, self.per_channel = share, order, per_channel

    def draw(
        self, images: int, size: tuple[int, int], generator: Generator, *, device: torch.device | str = "cpu"
    ) -> Noise:
        """Draw the noise of so many images of `size` = (height, width) px from a generator on the CPU."""
        pick = shift = None
        if "down" in self.order:
            channels = 3 if self.per_channel else 1
            pick = draw_pick(images, size, generator, channels=channels, device=device)
        if "shift" in self.order:
            shift = draw_shift(images, self._shifted(size), self.share, generator, device=device)
        return Noise(pick, shift)

    def reach(self, size: tuple[int, int]) -> tuple[float, float]:
        """Return how far up and left pictures of `size` are shifted at most, px, before rounding."""
        height, width = self._shifted(size)
        return height * self.share, width * self.share

    def _shifted(self, size: tuple[int, int]) -> tuple[int, int]:
        return (-(-size[0] // 2), -(-size[1] // 2)) if self.order == "down-shift-up" else size

    def forward(self, batch: Tensor, noise: Noise | Generator) -> Tensor:
        """Map pictures, float (n, 3, h, w), RGB in [0, 1], to pictures of that shape; slightly beyond [0, 1] at edges.

        Args:
            batch: the pictures.
            noise: of this pass, or the generator to draw it from.

        Raises:
            ValueError: if the noise is not that of the order.
        """
        size = (batch.shape[-2], batch.shape[-1])
        if isinstance(noise, Generator):
            noise = self.draw(len(batch), size, noise, device=batch.device)
        if ("down" in self.order) != (noise.pick is not None) or ("shift" in self.order) != (noise.shift is not None):
            raise ValueError(f"expected the noise of {self.order}: a pick for down, a shift for shift, and no other")
        if self.order == "down-shift-up" and noise.pick is not None and noise.shift is not None:
            return self._upsampled(batch, noise.pick, noise.shift)[..., : size[0], : size[1]]
        for part in self.order.split("-"):
            if part == "down" and noise.pick is not None:
                batch = random_downsample(batch, noise.pick)
            elif part == "shift" and noise.shift is not None:
                batch = circular_shift(batch, noise.shift)
            elif part == "up":
                batch = self.upsampler(batch)[..., : size[0], : size[1]]
        return batch

    def _upsampled(self, batch: Tensor, pick: Tensor, shift: Tensor) -> Tensor:
        """Do all parts in RAIN's order with one look at the picture: shift where pixels are picked, not the pixels.

        A network that wants the edge to go on beyond itself is given it by the same look.
        """
        check_pick(pick, batch)
        check_shift(shift, batch)
        h, w = pick.shape[2:]
        margin = getattr(self.upsampler, "margin", 0)
        moved = shifted_places(shift, (h, w), margin=margin).expand(-1, pick.shape[1], -1)
        places = picked_places(pick, (batch.shape[2], batch.shape[3])).flatten(2).gather(2, moved)
        small = take(batch, places, (h + 2 * margin, w + 2 * margin))
        return self.upsampler.with_margin(small) if margin else self.upsampler(small)
