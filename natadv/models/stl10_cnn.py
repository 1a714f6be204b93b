"""The seven-layer CNN of RAIN's experiments on STL-10 (Du et al. 2021, Table VIII), known to timm as `natadv_stl10`.

Its last two convolutions are not padded, which needs pictures of 65 px or more; of smaller ones, the maps before them
are padded here.
"""

import timm
import torch
from timm.models import build_model_with_cfg
from torch import Tensor, nn
from torch.nn.functional import pad

_CONFIG = {
    "url": "",
    "num_classes": 10,
    "input_size": (3, 96, 96),
    "mean": (0.5, 0.5, 0.5),
    "std": (0.5, 0.5, 0.5),
    "interpolation": "bilinear",
    "first_conv": "features.0",
    "classifier": "head",
}
_LEAST = 5
"""Side of the maps that two 3 x 3 convolutions without padding need."""


class Stl10Cnn(nn.Module):
    """Six convolutions and a linear layer; maxima over 2 x 2 places after the first four, over all after the last.

    Args:
        num_classes: outputs of the last layer; 0 gives the features.
        in_chans: colour channels.
    """

    def __init__(self, num_classes: int = 10, in_chans: int = 3) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.num_features = 256
        parts: list[nn.Module] = []
        channels = in_chans
        for width in (32, 64, 128, 128):
            parts += [nn.Conv2d(channels, width, 3, padding=1), nn.MaxPool2d(2, ceil_mode=True), nn.ReLU()]
            channels = width
        self.features = nn.Sequential(*parts)
        self.last = nn.Sequential(nn.Conv2d(channels, 256, 3), nn.ReLU(), nn.Conv2d(256, 256, 3), nn.ReLU())
        self.head = nn.Linear(256, num_classes) if num_classes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised pictures, (n, c, h, w), to logits, (n, num_classes)."""
        maps = self.features(x)
        lack = [max(0, _LEAST - side) for side in maps.shape[-2:]]
        if any(lack):
            maps = pad(maps, (lack[1] // 2, lack[1] - lack[1] // 2, lack[0] // 2, lack[0] - lack[0] // 2))
        return self.head(torch.amax(self.last(maps), (2, 3)))


@timm.models.register_model
def natadv_stl10(pretrained: bool = False, **kwargs: object) -> Stl10Cnn:
    """Build the CNN through timm; there are no pretrained weights of it."""
    kwargs.pop("pretrained_cfg", None)
    return build_model_with_cfg(Stl10Cnn, "natadv_stl10", pretrained, pretrained_cfg=dict(_CONFIG), **kwargs)
