"""Detector: an image in, how adversarial it looks out."""

import copy

import torch
from torch import Tensor, nn

from natadv.detection.banked import CLEAN
from natadv.detection.light import LightNetwork

ADVERSARIAL = "adversarial"
BINARY = (CLEAN, ADVERSARIAL)


class Detector(nn.Module):
    """A network that tells clean images from adversarial ones, of one kind or of several (N + 1 ways).

    Adversarial is what is not clean: P = 1 - P(clean), so the logit of P is that of all other classes together less
    that of `clean` (Agarwal et al. 2022, Sec. 5.3). With two classes it is the binary detector of Sec. 4.

    Attributes:
        network: maps a batch to logits, (n, len(classes)), by a last layer `head`.
        classes: `clean` first.
        size_px: side of the images that it was trained on. It is deployed on frames that were resized to that side
            by `natadv.images.resize`, as its bank's images were, and sees the same 8 bits.
        temperature: that the logit is divided by, so that a score is neither 0 nor 1 where the threshold lies.
        offset: that is taken off it then, so that the threshold is a score of a half.
    """

    temperature: Tensor
    offset: Tensor

    def __init__(self, network: nn.Module, *, classes: tuple[str, ...], size_px: int) -> None:
        """Put a network behind this.

        Raises:
            ValueError: if the first class is not `clean`, or there is no other.
        """
        super().__init__()
        if len(classes) < 2 or classes[0] != CLEAN:
            raise ValueError(f"expected {CLEAN!r} and at least one other class, got {classes}")
        self.network = network
        self.classes = classes
        self.size_px = size_px
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("offset", torch.zeros(()))

    def calibrate(self, temperature: float, offset: float) -> None:
        """Set both; no image's rank among others changes.

        Raises:
            ValueError: if the temperature is not positive.
        """
        if not temperature > 0:
            raise ValueError(f"expected a positive temperature, got {temperature}")
        self.temperature.fill_(temperature)
        self.offset.fill_(offset)

    def forward(self, batch: Tensor) -> Tensor:
        """Map a batch, float (n, 3, h, w), RGB in [0, 1], to logits of being adversarial, (n,)."""
        logits = self.network(batch)
        return (logits[:, 1:].logsumexp(1) - logits[:, 0]) / self.temperature - self.offset

    def folded(self) -> nn.Module:
        """Return what computes the same in eval mode in fewer steps, for a device, where those add up."""
        network = self.network.folded() if isinstance(self.network, LightNetwork) else copy.deepcopy(self.network)
        if len(self.classes) > 2:
            found = Detector(network, classes=self.classes, size_px=self.size_px)
            found.calibrate(float(self.temperature), float(self.offset))
            return found.eval()
        head = nn.Linear(network.head.in_features, 1)
        with torch.no_grad():
            head.weight.copy_((network.head.weight[1:] - network.head.weight[:1]) / self.temperature)
            head.bias.copy_((network.head.bias[1:] - network.head.bias[:1]) / self.temperature - self.offset)
        network.head = head
        return nn.Sequential(network, nn.Flatten(0)).eval()
