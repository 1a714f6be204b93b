"""The paper's detectors: a known network whose first layers are frozen, and dense layers of 1024, 1024 and 512.

Agarwal et al. 2022, Sec. 4 and Fig. 3. The paper freezes "the first 10 layers" of VGG16 and 110 of DenseNet121. Its
names and numbers are those of Keras, where pooling, activations and the input are layers too: the tenth of VGG16 is its
seventh convolution of 13, the 110th of DenseNet121 lies after its thirtieth of 120. Of the others it says nothing: a
quarter of theirs, as of DenseNet121's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import timm
import torch
from timm.models import load_state_dict
from torch import Tensor, nn
from torch.nn.functional import interpolate

from natadv.errors import ConfigError, DataError

if TYPE_CHECKING:  # onnx2torch is an extra of its own
    from natadv.models.onnx_classifier import OnnxClassifier

HIDDEN: Final = (1024, 1024, 512)


@dataclass(frozen=True)
class Known:
    """A network of the paper.

    Attributes:
        timm_name: what timm calls it.
        frozen: share of its convolutions that are frozen where it comes with weights.
        least_px: the smallest side that it takes; smaller images are enlarged to that.
    """

    timm_name: str
    frozen: float = 0.25
    least_px: int = 32


ONNX: Final = "onnx"
"""A pretrained classifier of an ONNX file, whatever it is; frozen as those of which the paper says nothing."""
BACKBONES: Final[Mapping[str, Known]] = {
    "vgg16": Known("vgg16", 7 / 13),
    "densenet121": Known("densenet121", 30 / 120),
    "mobilenet": Known("mobilenetv1_100"),
    "inception_v3": Known("inception_v3", least_px=75),
    "xception": Known("legacy_xception"),
}


class BackboneNetwork(nn.Module):
    """Maps a batch, float (n, 3, h, w), RGB in [0, 1], to logits, (n, classes).

    Attributes:
        frozen: how many convolutions, the first, stay as they came, with the norms between them and the next one.
    """

    def __init__(self, features: nn.Module, count: int, classes: int, *, frozen: float) -> None:
        """Put dense layers behind features.

        Args:
            features: maps a batch to features, (n, count).
            count: as above.
            classes: how many.
            frozen: share of its convolutions.

        Raises:
            ValueError: if the share is not in 0..1.
        """
        if not 0 <= frozen <= 1:
            raise ValueError(f"expected a share of 0 to 1 to freeze, got {frozen}")
        super().__init__()
        self.features = features
        layers: list[nn.Module] = []
        for width in HIDDEN:
            layers += [nn.Linear(count, width), nn.ReLU()]
            count = width
        self.dense = nn.Sequential(*layers)
        self.head = nn.Linear(count, classes)
        self.frozen, self._still = _first(features, frozen)
        for layer in self._still:
            for weight in layer.parameters(recurse=False):
                weight.requires_grad_(False)

    def train(self, mode: bool = True) -> Self:
        """Train, but for the frozen layers, whose norms keep their statistics too."""
        super().train(mode)
        for layer in self._still:
            layer.eval()
        return self

    def forward(self, batch: Tensor) -> Tensor:
        """Map a batch to logits."""
        return self.head(self.dense(self.features(batch)))


class TimmFeatures(nn.Module):
    """A timm network without its classifier, behind its normalisation: features averaged over places."""

    mean: Tensor
    std: Tensor

    def __init__(self, known: Known) -> None:
        super().__init__()
        network = timm.create_model(known.timm_name, num_classes=0)
        if hasattr(network, "pre_logits"):
            network.pre_logits = nn.Identity()  # VGG's first dense layers, 100 million weights that ours replace
        self.network = network
        self.timm_name = known.timm_name
        self.least_px = known.least_px
        self.register_buffer("mean", torch.tensor(network.pretrained_cfg["mean"]).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(network.pretrained_cfg["std"]).view(1, -1, 1, 1))

    def forward(self, batch: Tensor) -> Tensor:
        """Map a batch, float (n, 3, h, w), RGB in [0, 1], to features, (n, count)."""
        size = tuple(max(side, self.least_px) for side in batch.shape[-2:])
        if size != tuple(batch.shape[-2:]):
            batch = interpolate(batch, size, mode="bilinear")
        features: Tensor = self.network.forward_features((batch - self.mean) / self.std)
        return features.mean((2, 3))

    def load(self, path: Path) -> None:
        """Take pretrained weights: a state dictionary of timm's, .pth or .safetensors.

        Raises:
            DataError: if the file cannot be read, or is of another network.
        """
        try:
            weights = load_state_dict(str(path), use_ema=False, weights_only=True)
        except Exception as error:  # torch's, pickle's and safetensors' errors share no base
            raise DataError(f"{path}: not readable weights ({type(error).__name__})") from error
        own = self.network.state_dict()
        missing = next((name for name in own if name not in weights or weights[name].shape != own[name].shape), None)
        if missing is not None:
            raise DataError(f"{path}: has no fitting {missing}; expected weights of timm's {self.timm_name}")
        self.network.load_state_dict({name: weights[name] for name in own})


class OnnxFeatures(nn.Module):
    """A classifier of an ONNX file up to its last layer, its weights free to train."""

    def __init__(self, classifier: "OnnxClassifier") -> None:
        super().__init__()
        self.classifier = classifier
        classifier.network.requires_grad_(True)

    def forward(self, batch: Tensor) -> Tensor:
        """Map a batch, float (n, 3, h, w), RGB in [0, 1], of any size to features, (n, count)."""
        return self.classifier.features(batch)


def known_backbone(name: str) -> Known:
    """Return a network of the paper by its name.

    Raises:
        ConfigError: if the paper has none of that name.
    """
    if name not in BACKBONES:
        raise ConfigError(f"backbone {name!r}: expected light, {', '.join(BACKBONES)} or {ONNX}")
    return BACKBONES[name]


def _first(features: nn.Module, share: float) -> tuple[int, list[nn.Module]]:
    """Return how many convolutions a share is, and the layers with weights up to the last of them."""
    layers = [module for module in features.modules() if next(module.parameters(recurse=False), None) is not None]
    convolutions = [place for place, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)]
    count = round(share * len(convolutions))
    if not count:
        return 0, []
    end = convolutions[count] if count < len(convolutions) else len(layers)
    return count, layers[:end]
