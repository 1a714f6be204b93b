"""Convolutions whose kernel covers all of their input, computed as the matrix products that they are.

VGG's two large layers are such convolutions in timm. One of 7 x 7 x 512 to 4096 has 103 million weights; torch's
convolution on the CPU arranges them anew for every batch, which took most of a training step.
"""

import torch
from timm.models.vgg import ConvMlp
from torch import Tensor, nn
from torch.nn import functional


class CoveringConv2d(nn.Conv2d):
    """A convolution without padding that multiplies matrices where its input is as large as its kernel.

    Its parameters have the names and shapes of `nn.Conv2d`, so that weights fit both.
    """

    @classmethod
    def sharing(cls, convolution: nn.Conv2d) -> "CoveringConv2d":
        """Return the same layer with the same parameters.

        Raises:
            ValueError: if the layer pads, dilates or has groups.
        """
        plain = convolution.padding == (0, 0) and convolution.dilation == (1, 1) and convolution.groups == 1
        if not plain:
            raise ValueError(f"expected a convolution without padding, dilation and groups, got {convolution}")
        shared = cls(
            convolution.in_channels,
            convolution.out_channels,
            convolution.kernel_size,  # type: ignore[arg-type]
            stride=convolution.stride,  # type: ignore[arg-type]
            bias=convolution.bias is not None,
            device="meta",
        )
        shared.weight, shared.bias = convolution.weight, convolution.bias
        return shared

    def forward(self, input: Tensor) -> Tensor:  # torch's name
        """Return (n, out, 1, 1) for an input of the kernel's size, and what a convolution gives for another."""
        if tuple(input.shape[-2:]) != self.kernel_size:
            return super().forward(input)
        weight = self.weight
        if weight.is_contiguous(memory_format=torch.channels_last):  # then this order is a view, not a copy
            weight, input = weight.permute(0, 2, 3, 1), input.permute(0, 2, 3, 1)
        return functional.linear(input.flatten(1), weight.flatten(1), self.bias)[:, :, None, None]


def with_covering_heads(backbone: nn.Module) -> nn.Module:
    """Let VGG's head, where the backbone has one, multiply matrices; the backbone is changed and returned."""
    for module in list(backbone.modules()):
        if isinstance(module, ConvMlp):
            module.fc1, module.fc2 = CoveringConv2d.sharing(module.fc1), CoveringConv2d.sharing(module.fc2)
    return backbone
