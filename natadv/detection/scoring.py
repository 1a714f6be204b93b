"""What a detector makes of images: its logits and scores, as the deployed graph computes them."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from natadv.batches import to_batch

Scorer = Callable[[NDArray[np.uint8]], NDArray[np.float64]]
"""Maps images, uint8 RGB (n, h, w, 3), to scores, (n,); the larger, the more suspicious."""


@torch.no_grad()
def logits_of(detector: nn.Module, images: NDArray[np.uint8], *, batch_size: int = 128) -> Tensor:
    """Return logits of being adversarial, float32 (n,), on the CPU; the detector's mode is left as it was."""
    mode, device = detector.training, next(detector.buffers()).device
    detector.eval()
    parts = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
    found = [detector(to_batch(part, device)).float().cpu() for part in parts]
    detector.train(mode)
    return torch.cat(found) if found else torch.zeros(0)


def scorer_of(detector: nn.Module) -> Scorer:
    """Return a detector's scores, 0..1: the sigmoid of its logit, in the graph's precision."""
    return lambda images: torch.sigmoid(logits_of(detector, images)).double().numpy()
