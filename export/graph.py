"""The deployed graph: what the device is given, and what it answers."""

import torch
from torch import Tensor, nn


class DeployedClassifier(nn.Module):
    """A classifier as it is deployed: camera bytes in, probabilities out.

    The classifier maps float RGB (n, 3, h, w) in [0, 1] to logits and normalises inside. Nothing in here may
    draw random numbers: an exported graph either freezes them or draws others than torch.
    """

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Map frames, uint8 RGB (n, h, w, 3), to (probabilities, logits), both float32 (n, classes)."""
        batch = frames.permute(0, 3, 1, 2).to(torch.float32) / 255
        logits = self.classifier(batch)
        return torch.softmax(logits, dim=1), logits
