"""Slim residual networks for small pictures of signs, known to timm as `natadv_slim` and `natadv_slim_wide`.

Basic residual blocks (He et al. 2016, Fig. 5 left) with the average-pooled shortcut of ResNet-D
(He et al. 2019, Fig. 2c), three stages, some 310 thousand parameters: about 1.5 ms an image for one training
step at 64 px on one CPU core, where a ResNet-18 takes over 40. The wide one has five times the parameters at two
to three times the time: adversarial training needs room for two worlds, the dry and the wet.
"""

from collections.abc import Callable

import timm
import torch
from timm.models import build_model_with_cfg
from torch import Tensor, nn

CONFIG = {
    "url": "",
    "num_classes": 43,
    "input_size": (3, 64, 64),
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
    "interpolation": "bilinear",
    "first_conv": "stem.0",
    "classifier": "head",
}


def _convolution(inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs))


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = _convolution(inputs, outputs, stride=stride)
        self.second = _convolution(outputs, outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.AvgPool2d(stride, ceil_mode=True), _convolution(inputs, outputs, kernel=1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(torch.relu(self.first(x))) + self.shortcut(x))


class _Exposure(nn.Module):
    """Bring each picture to mean 0 and spread 1, so that neither exposure nor haze matters.

    GTSRB's pictures differ by a factor of over 20 in brightness. All channels share one mean and one spread: the
    colours, which tell signs apart, stay.
    """

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean((1, 2, 3), keepdim=True)
        return centred / (centred.square().mean((1, 2, 3), keepdim=True).sqrt() + 0.02)


class SlimNet(nn.Module):
    """A layer that evens out exposure, a stem of stride 2, then one stage per width, each halving the picture.

    Args:
        num_classes: outputs of the last layer; 0 gives the pooled features.
        in_chans: colour channels.
        stem: channels of the first convolution.
        widths: channels of each stage.
        depths: residual blocks of each stage.
        drop_rate: dropout before the last layer, 0..1.
        after_stage: makes a layer of so many channels that follows each stage; None for none.
    """

    def __init__(
        self,
        num_classes: int = 43,
        in_chans: int = 3,
        stem: int = 16,
        widths: tuple[int, ...] = (32, 64, 128),
        depths: tuple[int, ...] = (1, 1, 1),
        drop_rate: float = 0.0,
        after_stage: Callable[[int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.num_features = widths[-1]
        self.exposure = _Exposure()
        self.stem = nn.Sequential(*_convolution(in_chans, stem, stride=2), nn.ReLU())
        stages: list[nn.Module] = []
        channels = stem
        for width, depth in zip(widths, depths, strict=True):
            for index in range(depth):
                stages.append(_Block(channels, width, stride=2 if index == 0 else 1))
                channels = width
            if after_stage is not None:
                stages.append(after_stage(width))
        self.stages = nn.Sequential(*stages)
        self.dropout = nn.Dropout(drop_rate)
        self.head = nn.Linear(channels, num_classes) if num_classes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised pictures, (n, c, h, w), to logits, (n, num_classes)."""
        return self.head(self.dropout(self.stages(self.stem(self.exposure(x))).mean((2, 3))))


@timm.models.register_model
def natadv_slim(pretrained: bool = False, **kwargs: object) -> SlimNet:
    """Build the slim network through timm; there are no pretrained weights of it."""
    kwargs.pop("pretrained_cfg", None)
    return build_model_with_cfg(SlimNet, "natadv_slim", pretrained, pretrained_cfg=dict(CONFIG), **kwargs)


@timm.models.register_model
def natadv_slim_wide(pretrained: bool = False, **kwargs: object) -> SlimNet:
    """Build the slim network half as wide again and deeper, 1.5 million parameters; without pretrained weights."""
    kwargs.pop("pretrained_cfg", None)
    wider = {"stem": 24, "widths": (48, 96, 192), "depths": (1, 2, 2)}
    return build_model_with_cfg(
        SlimNet, "natadv_slim_wide", pretrained, pretrained_cfg=dict(CONFIG), **{**wider, **kwargs}
    )
