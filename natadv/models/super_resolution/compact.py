"""Compact super-resolution: a few plain convolutions at low resolution, for a device.

Each 3 x 3 convolution trains with a 1 x 1 and, where it can, an identity beside it, which then fold into it
(re-parameterisation: Ding et al. 2021, Sec. 3.3, here without batch normalisation; for super-resolution, Zhang et al.
2021). Their result is added to one linear layer of the low-resolution pixels, which begins as bilinear interpolation,
so nothing else has to carry the picture through.
With `pack`, 2 x 2 low-resolution pixels become channels first: a quarter of the places for more channels each,
which a CPU multiplies faster.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, pad, pixel_shuffle, pixel_unshuffle


class FoldedConv(nn.Module):
    """A 3 x 3 convolution that trains as a sum of several and computes as one."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.wide = nn.Conv2d(inputs, outputs, 3, padding=1)
        # Without batch norms, torch's default would let the signal fade from layer to layer.
        nn.init.kaiming_normal_(self.wide.weight, nonlinearity="relu")
        nn.init.zeros_(self.wide.bias)
        self.narrow = nn.Conv2d(inputs, outputs, 1, bias=False)
        nn.init.zeros_(self.narrow.weight)
        self.through = nn.Parameter(torch.zeros(outputs)) if inputs == outputs else None

    def kernel(self) -> Tensor:
        """Return the one kernel that does what all do, (outputs, inputs, 3, 3)."""
        kernel = self.wide.weight + pad(self.narrow.weight, (1, 1, 1, 1))
        if self.through is not None:
            kernel = kernel + pad(torch.diag(self.through)[:, :, None, None], (1, 1, 1, 1))
        return kernel

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h, w)."""
        return conv2d(x, self.kernel(), self.wide.bias, padding=1)

    @torch.no_grad()
    def folded(self) -> nn.Conv2d:
        """Return a plain convolution that computes the same."""
        plain = copy.deepcopy(self.wide)
        plain.weight.copy_(self.kernel())
        return plain


class CompactSr(nn.Module):
    """A compact network that doubles the sides of a picture.

    Args:
        features: channels of the convolutions between the first and the last.
        layers: convolutions that give them, 1 or more; one more gives the picture.
        pack: side of the squares of pixels that become channels, 1 or 2.
    """

    def __init__(self, features: int, layers: int, *, pack: int = 1) -> None:
        super().__init__()
        if features < 1 or layers < 1 or pack not in (1, 2):
            raise ValueError(f"expected features, layers > 0 and a pack of 1 or 2, got {features}, {layers}, {pack}")
        self.pack = pack
        inputs = 3 * pack**2
        parts: list[nn.Module] = [FoldedConv(inputs, features), nn.ReLU()]
        for _ in range(layers - 1):
            parts += [FoldedConv(features, features), nn.ReLU()]
        last = FoldedConv(features, 4 * inputs)
        nn.init.zeros_(last.wide.weight)
        self.body = nn.Sequential(*parts, last)
        # The edge goes on beyond itself, or a picture would fade there.
        self.linear = nn.Conv2d(inputs, 4 * inputs, 3, padding=1, padding_mode="replicate")
        _interpolate(self.linear, pack)

    def forward(self, batch: Tensor) -> Tensor:
        """Map pictures, (n, 3, h, w), RGB in [0, 1], to pictures, (n, 3, 2 h, 2 w), not clipped."""
        h, w = batch.shape[-2:]
        if h % self.pack or w % self.pack:
            batch = pad(batch, (0, w % self.pack, 0, h % self.pack), mode="replicate")
        packed = (pixel_unshuffle(batch, self.pack) if self.pack > 1 else batch) - 0.5
        made = pixel_shuffle(self.body(packed) + self.linear(packed), 2 * self.pack)
        return made[..., : 2 * h, : 2 * w]

    def folded(self) -> "CompactSr":
        """Return a network that computes the same with one kernel a layer, for export."""
        plain = copy.deepcopy(self)
        plain.body = nn.Sequential(*(part.folded() if isinstance(part, FoldedConv) else part for part in self.body))
        return plain


@torch.no_grad()
def _interpolate(linear: nn.Conv2d, pack: int) -> None:
    """Let a layer begin as bilinear interpolation of packed pixels less 0.5, by what that makes of a single one."""
    linear.weight.zero_()
    linear.bias.fill_(0.5)
    for channel in range(3 * pack**2):
        one = torch.zeros(1, 3 * pack**2, 5, 5)
        one[0, channel, 2, 2] = 1
        low = pixel_shuffle(one, pack) if pack > 1 else one
        made = pixel_unshuffle(interpolate(low, scale_factor=2, mode="bilinear"), 2 * pack)
        linear.weight[:, channel] = made[0, :, 1:4, 1:4].flip(1, 2)
