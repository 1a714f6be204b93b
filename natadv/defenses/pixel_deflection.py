"""Pixel deflection: some pixels become a neighbour of theirs, then wavelets are shrunk (Prakash et al. 2018).

200 deflections within 10 pixels, BayesShrink with sigma 0.04 (Algorithm 1, Sec. 6). Their robust activation map,
which deflects more where the classifier does not look, is left out: it needs the inside of the classifier, so every
pixel is as likely. Its gradient is its own, almost everywhere. Attacks that took the identity's instead (BPDA) broke
the defence already, and fool less: they spend their budget on details that the wavelets throw away.
"""

import torch
from torch import Generator, Tensor, nn

from natadv.defenses.wavelet_shrinkage import bayes_shrink

DEFLECTIONS, WINDOW_PX, SIGMA = 200, 10, 0.04
_SIDE_PX = 299


class PixelDeflection(nn.Module):
    """Pixel deflection and wavelet denoising.

    Attributes:
        deflections: of a picture of 299 x 299 px; others in proportion to their pixels, 1 at least.
        window_px: a pixel becomes one that is at most so far away in either direction.
        sigma: of the noise that BayesShrink takes out, in 0..1.
    """

    randomised = True
    differentiable = True

    def __init__(self, *, deflections: int = DEFLECTIONS, window_px: int = WINDOW_PX, sigma: float = SIGMA) -> None:
        """Set it up.

        Raises:
            ValueError: if a setting is not positive.
        """
        super().__init__()
        if deflections < 1 or window_px < 1 or sigma <= 0:
            raise ValueError(f"expected positive settings, got {deflections}, {window_px} and {sigma}")
        self.deflections, self.window_px, self.sigma = deflections, window_px, sigma

    def forward(self, batch: Tensor, chance: Generator) -> Tensor:
        """Map pictures, (n, 3, h, w), RGB in [0, 1], to such pictures, drawing from a generator on the CPU."""
        return bayes_shrink(self._deflected(batch, chance), self.sigma)

    def _deflected(self, batch: Tensor, chance: Generator) -> Tensor:
        n, channels, h, w = batch.shape
        count = max(1, round(self.deflections * h * w / _SIDE_PX**2))
        rows = torch.randint(h, (n, count), generator=chance)
        columns = torch.randint(w, (n, count), generator=chance)
        reach = self.window_px
        away = torch.randint(-reach, reach + 1, (2, n, count), generator=chance)
        # What lies outside is reflected in.
        source_rows = _reflected(rows + away[0], h)
        source_columns = _reflected(columns + away[1], w)
        flat = batch.flatten(2)
        here = (rows * w + columns).to(batch.device)[:, None].expand(-1, channels, -1)
        there = (source_rows * w + source_columns).to(batch.device)[:, None].expand(-1, channels, -1)
        return flat.scatter(2, here, flat.gather(2, there)).view_as(batch)


def _reflected(index: Tensor, side: int) -> Tensor:
    """Return places within 0..side - 1, mirrored at the edges."""
    if side == 1:
        return torch.zeros_like(index)
    index = index.remainder(2 * (side - 1))
    return torch.minimum(index, 2 * (side - 1) - index)
