"""Layers that the networks of the quasi-GAN share."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Normed(nn.Module):
    """Convolution, group normalisation, leaky ReLU; the same in training and evaluation, unlike batch normalisation."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
        self.norm = nn.GroupNorm(max(1, outputs // 8), outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        return functional.leaky_relu(self.norm(self.convolution(x)), 0.2)


def doubled(x: Tensor) -> Tensor:
    """Return twice the size, bilinear: pixel shuffling leaves a checkerboard."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def positions(height: int, width: int, like: Tensor) -> Tensor:
    """Return each pixel's place as `grid_sample` counts it, x then y in -1..1, (h, w, 2)."""
    y = (torch.arange(height, device=like.device, dtype=like.dtype) + 0.5) * (2 / height) - 1
    x = (torch.arange(width, device=like.device, dtype=like.dtype) + 0.5) * (2 / width) - 1
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
