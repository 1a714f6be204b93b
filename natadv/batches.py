"""Images as models take them and as files hold them: the one place where one becomes the other."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def to_batch(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Turn uint8 images, (n, h, w, 3), into a float batch, (n, 3, h, w), in [0, 1], channels last in memory."""
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float().div_(255)


def to_images(batch: Tensor) -> NDArray[np.uint8]:
    """Turn a batch, (n, 3, h, w), RGB in [0, 1], into the nearest uint8 images, (n, h, w, 3)."""
    frames = (batch.detach() * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    return np.ascontiguousarray(frames.cpu().numpy())
