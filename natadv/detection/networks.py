"""Networks of detectors by name, with fresh weights or pretrained ones."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from natadv.detection.backbones import (
    BACKBONES,
    ONNX,
    BackboneNetwork,
    OnnxFeatures,
    TimmFeatures,
    known_backbone,
)
from natadv.detection.light import NAME as LIGHT
from natadv.detection.light import LightNetwork
from natadv.errors import ConfigError, DataError
from natadv.models.seeded import seeded

NAMES = (LIGHT, *BACKBONES, ONNX)
DEFAULT_FROZEN = 0.25


def fresh_network(
    name: str, classes: int, *, weights: Path | None = None, frozen: float | None = None
) -> tuple[nn.Module, bytes | None]:
    """Build a network to be trained; its weights come from torch's random generator where there are no others.

    Args:
        name: one of `NAMES`.
        classes: how many it tells apart.
        weights: pretrained ones of the backbone: timm's, or, for `onnx`, the network itself.
        frozen: share of the backbone's convolutions that are not trained; by default the paper's where there are
            weights, else 0: random filters are no knowledge to keep.

    Returns:
        The network, and the ONNX file that it is made of, where it is.

    Raises:
        ConfigError: if there is no such network, or the options do not go with it.
        DataError: if the weights cannot be read, or are another network's.
    """
    if name == LIGHT:
        if weights is not None or frozen is not None:
            raise ConfigError(f"--weights and --frozen are of a backbone; {LIGHT} has none")
        return LightNetwork(classes), None
    if name == ONNX:
        if weights is None:
            raise ConfigError(f"backbone {ONNX!r} is the network of an ONNX file; name the file with --weights")
        try:
            data = weights.read_bytes()
        except OSError as error:
            raise DataError(f"{weights}: cannot be read ({error.strerror})") from error
        return _of_onnx(data, weights, classes, DEFAULT_FROZEN if frozen is None else frozen), data
    known = known_backbone(name)
    features = TimmFeatures(known)
    if weights is not None:
        features.load(weights)
    share = (known.frozen if weights is not None else 0.0) if frozen is None else frozen
    return BackboneNetwork(features, features.network.num_features, classes, frozen=share), None


def same_network(
    name: str, weights: Mapping[str, Tensor], classes: int, *, frozen: float, onnx: bytes | None
) -> nn.Module:
    """Build the network of a detector's file, which takes its weights.

    Raises:
        ConfigError: if there is no such network.
        DataError: if the ONNX file in it is damaged.
        KeyError: if these are not its weights.
    """
    if name == LIGHT:
        return LightNetwork.shaped_as(weights, classes)
    if name == ONNX:
        return _of_onnx(onnx or b"", Path("its ONNX network"), classes, frozen)
    features = TimmFeatures(known_backbone(name))
    return BackboneNetwork(features, features.network.num_features, classes, frozen=frozen)


def frozen_share(network: nn.Module) -> float:
    """Return the share of a network's convolutions that are frozen, 0..1."""
    if not isinstance(network, BackboneNetwork) or not network.frozen:
        return 0.0
    return network.frozen / sum(isinstance(module, nn.Conv2d) for module in network.features.modules())


def seeded_network(
    name: str, classes: int, *, seed: int, weights: Path | None = None, frozen: float | None = None
) -> tuple[nn.Module, bytes | None]:
    """Return `fresh_network` with its random weights by a seed; torch's global generators are left as they were."""
    with seeded(seed):
        return fresh_network(name, classes, weights=weights, frozen=frozen)


def _of_onnx(data: bytes, path: Path, classes: int, frozen: float) -> nn.Module:
    from natadv.models.onnx_classifier import onnx_classifier  # noqa: PLC0415  # onnx2torch is an extra of its own

    classifier = onnx_classifier(data, path)
    return BackboneNetwork(OnnxFeatures(classifier), classifier.num_features, classes, frozen=frozen)
