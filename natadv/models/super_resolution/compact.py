"""Compact super-resolution: a few convolutions at low resolution, for a device.

The picture goes through all of them in channels of its own, which begin as the identity (its values are positive, so
ReLU lets them pass) and end as bilinear interpolation; the other channels correct that. So there is no second path: a
branch beside the convolutions costs a small classifier as much as a convolution. As they train, 3 x 3 convolutions have
a 1 x 1 and, where it can be, an identity beside them, which then fold into one kernel (re-parameterisation: Ding et
al. 2021, Sec. 3.3, here without batch normalisation; for super-resolution, Zhang et al. 2021).
"""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, interpolate, pad, pixel_shuffle, pixel_unshuffle

_CHANNELS = 3


class FoldedConv(nn.Module):
    """A 3 x 3 convolution that trains as a sum of several and computes as one."""

    def __init__(self, inputs: int, outputs: int, padding: int = 1) -> None:
        super().__init__()
        self.wide = nn.Conv2d(inputs, outputs, 3, padding=padding)
        self.narrow = nn.Conv2d(inputs, outputs, 1, bias=False)
        nn.init.zeros_(self.narrow.weight)
        self.through = nn.Parameter(torch.zeros(outputs)) if inputs == outputs else None
        _begin(self.wide)

    def kernel(self) -> Tensor:
        """Return the one kernel that does what all do, (outputs, inputs, 3, 3)."""
        kernel = self.wide.weight + pad(self.narrow.weight, (1, 1, 1, 1))
        if self.through is not None:
            kernel = kernel + pad(torch.diag(self.through)[:, :, None, None], (1, 1, 1, 1))
        return kernel

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h, w), or less by the padding that is not there."""
        return conv2d(x, self.kernel(), self.wide.bias, padding=self.wide.padding)

    @torch.no_grad()
    def folded(self) -> nn.Conv2d:
        """Return a plain convolution that computes the same."""
        plain = copy.deepcopy(self.wide)
        plain.weight.copy_(self.kernel())
        return plain


class SeparableConv(nn.Sequential):
    """A 3 x 3 convolution of each channel by itself, then a 1 x 1 of all (Chollet 2017)."""

    def __init__(self, inputs: int, outputs: int, padding: int = 1) -> None:
        alone = nn.Conv2d(inputs, inputs, 3, padding=padding, groups=inputs, bias=False)
        super().__init__(alone, nn.Conv2d(inputs, outputs, 1))
        with torch.no_grad():
            alone.weight[:_CHANNELS] = 0
            alone.weight[:_CHANNELS, 0, 1, 1] = 1
        _begin(self[1])


class CompactSr(nn.Module):
    """A compact network that doubles the sides of a picture.

    Args:
        features: channels of the convolutions between the first and the last, 3 or more.
        layers: convolutions that give them, 1 or more; one more gives the picture.
        separable: whether those between are separable.

    Attributes:
        margin: pixels around a picture where its edge goes on; without them, it would fade there.
    """

    margin = 1

    def __init__(self, features: int, layers: int, *, separable: bool = False) -> None:
        super().__init__()
        if features < _CHANNELS or layers < 1:
            raise ValueError(f"expected {_CHANNELS} features and a layer at least, got {features} and {layers}")
        between = SeparableConv if separable else FoldedConv
        parts: list[nn.Module] = [FoldedConv(_CHANNELS, features), nn.ReLU()]
        for _ in range(layers - 1):
            parts += [between(features, features), nn.ReLU()]
        last = FoldedConv(features, 4 * _CHANNELS, padding=0)
        _interpolate(last.wide)
        self.body = nn.Sequential(*parts, last)

    def forward(self, batch: Tensor) -> Tensor:
        """Map pictures, (n, 3, h, w), RGB in [0, 1], to pictures, (n, 3, 2 h, 2 w), not clipped."""
        return self.with_margin(_beyond_the_edge(batch))

    def with_margin(self, batch: Tensor) -> Tensor:
        """Do as `forward`, for pictures whose edges already go on beyond themselves, (n, 3, h + 2, w + 2)."""
        return pixel_shuffle(self.body(batch), 2)

    def folded(self) -> "FoldedSr":
        """Return a network that computes the same with one kernel a layer, for export."""
        return FoldedSr(part.folded() if isinstance(part, FoldedConv) else copy.deepcopy(part) for part in self.body)


class FoldedSr(nn.Module):
    """What a compact network computes, in the operations that cost a device least.

    On ONNX Runtime's CPU a transposed convolution by ones puts pixels side by side in a quarter of DepthToSpace's time.
    """

    margin = CompactSr.margin
    ones: Tensor

    def __init__(self, parts: Iterable[nn.Module]) -> None:
        super().__init__()
        self.body = nn.Sequential(*parts)
        self.register_buffer("ones", torch.eye(4).view(4, 1, 2, 2).repeat(_CHANNELS, 1, 1, 1), persistent=False)

    def forward(self, batch: Tensor) -> Tensor:
        """Do as `CompactSr.forward`."""
        return self.with_margin(_beyond_the_edge(batch))

    def with_margin(self, batch: Tensor) -> Tensor:
        """Do as `CompactSr.with_margin`."""
        return conv_transpose2d(self.body(batch), self.ones, stride=2, groups=_CHANNELS)


def _beyond_the_edge(batch: Tensor) -> Tensor:
    return pad(batch, (CompactSr.margin,) * 4, mode="replicate")


@torch.no_grad()
def _begin(conv: nn.Conv2d) -> None:
    """Let the first channels carry the picture, and the others begin as noise of their input's size."""
    # Without batch norms, torch's default would let the signal fade from layer to layer.
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    nn.init.zeros_(conv.bias)
    middle = conv.weight.shape[-1] // 2
    conv.weight[:_CHANNELS] = 0
    for channel in range(_CHANNELS):
        conv.weight[channel, channel, middle, middle] = 1


@torch.no_grad()
def _interpolate(last: nn.Conv2d) -> None:
    """Let a layer begin as bilinear interpolation of the carried picture, by what that makes of a single pixel."""
    last.weight.zero_()
    for channel in range(_CHANNELS):
        one = torch.zeros(1, _CHANNELS, 5, 5)
        one[0, channel, 2, 2] = 1
        made = pixel_unshuffle(interpolate(one, scale_factor=2, mode="bilinear"), 2)
        last.weight[:, channel] = made[0, :, 1:4, 1:4].flip(1, 2)
