"""FeatureExtractor: what a network knows of a picture before it decides, and the name that a result states."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

from natadv.models.onnx_classifier import OnnxClassifier, load_onnx_classifier


class FeatureExtractor(nn.Module):
    """Pooled penultimate features; also what torchmetrics takes as `feature`.

    Attributes:
        name: the network and its weights, for a result to state.
        num_features: length d of a feature vector.
    """

    def __init__(self, network: OnnxClassifier, name: str) -> None:
        super().__init__()
        self.network = network
        self.name = name
        self.num_features = network.num_features

    def forward(self, batch: Tensor) -> Tensor:
        """Map a batch, float in [0, 1] or uint8, RGB (n, 3, h, w), to features, (n, d)."""
        if batch.dtype == torch.uint8:
            batch = batch.float() / 255
        return self.network.features(batch)


def onnx_features(path: Path) -> FeatureExtractor:
    """Return the penultimate features of an ONNX classifier, named by its file and digest.

    Raises:
        DataError: if the file cannot be read or is no such classifier.
    """
    network = load_onnx_classifier(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return FeatureExtractor(network, f"{path.name} penultimate, sha256 {digest}")
