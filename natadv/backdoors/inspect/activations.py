"""What the last layer sees: the features of a picture by which a model decides."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from natadv.batches import to_batch
from natadv.models.frozen import frozen


@torch.no_grad()
def penultimate(
    model: nn.Module, images: NDArray[np.uint8], device: torch.device, *, batch_size: int = 128
) -> NDArray[np.float32]:
    """Return the input of the model's last linear layer for each image, (n, d).

    Args:
        model: on `device`; its mode is left as it was.
        images: uint8 RGB, (n, h, w, 3), at the model's size.
        device: where the model is.
        batch_size: images at once.

    Raises:
        ValueError: if there are no images, or the model has no linear layer.
    """
    if not len(images):
        raise ValueError("expected at least one image")
    seen: list[tuple[nn.Module, Tensor]] = []

    def note(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        seen.append((module, inputs[0]))

    handles = [module.register_forward_pre_hook(note) for module in model.modules() if isinstance(module, nn.Linear)]
    features = []
    try:
        with frozen(model):
            for start in range(0, len(images), batch_size):
                seen.clear()
                model(to_batch(images[start : start + batch_size], device))
                if not seen:
                    raise ValueError(f"{type(model).__name__} has no linear layer that decides")
                features.append(seen[-1][1].flatten(1).float().cpu().numpy())
    finally:
        for handle in handles:
            handle.remove()
    return np.concatenate(features)
