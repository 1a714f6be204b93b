"""Feature denoising blocks (Xie et al. 2019, Sec. 3): a non-local mean of the features, added to them.

Non-local means weighted by the softmax of dot products (Sec. 3.1), a 1 x 1 convolution, and a batch norm that begins at
zero, so that a new block changes nothing. The paper puts four after the stages of a ResNet; ours has three stages.
"""

import math

import timm
from timm.models import build_model_with_cfg
from torch import Tensor, nn

from natadv.models.slim import CONFIG, SlimNet


class Denoising(nn.Module):
    """One block: x + BN(conv(softmax(x x' / sqrt(c)) x)); without embeddings of its own, as the paper found as good."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map features, (n, c, h, w), to features of that shape."""
        flat = x.flatten(2)
        alike = (flat.transpose(1, 2) @ flat / math.sqrt(flat.shape[1])).softmax(-1)
        mean = (flat @ alike.transpose(1, 2)).view_as(x)
        return x + self.norm(self.mix(mean))


@timm.models.register_model
def natadv_slim_denoised(pretrained: bool = False, **kwargs: object) -> SlimNet:
    """Build the slim network with a denoising block after each stage; without pretrained weights."""
    kwargs.pop("pretrained_cfg", None)
    return build_model_with_cfg(
        SlimNet, "natadv_slim_denoised", pretrained, pretrained_cfg=dict(CONFIG), **{"after_stage": Denoising, **kwargs}
    )
