"""STRIP: a triggered picture keeps its class whatever is blended over it (Gao et al. 2019, Sec. IV).

Each picture is blended with clean ones; the entropy of what the model then says is high for a clean picture and low for
one whose trigger decides. Below a threshold that a given share of clean pictures falls short of, an input is suspected.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from natadv.batches import to_batch
from natadv.models.frozen import frozen

BLENDS = 16
FALSE_REJECTION = 0.01
_BATCH = 256


@torch.no_grad()
def blended_entropy(
    model: nn.Module,
    images: NDArray[np.uint8],
    clean: NDArray[np.uint8],
    generator: np.random.Generator,
    *,
    blends: int = BLENDS,
    device: torch.device,
) -> NDArray[np.float64]:
    """Return the mean entropy of the model's answers to each image under blending, in bits, (n,).

    Args:
        model: gives logits of (n, 3, h, w) in 0..1.
        images: uint8 RGB, (n, h, w, 3).
        clean: what is blended over them, half and half, (m, h, w, 3).
        generator: of which clean images.
        blends: over each image.
        device: where the model is.

    Raises:
        ValueError: if there are no clean images, or no blends are asked for.
    """
    if not len(clean) or blends < 1:
        raise ValueError(f"expected a clean image and a blend at least, got {len(clean)} and {blends}")
    partners = generator.integers(len(clean), size=(len(images), blends))
    entropies = np.zeros(len(images))
    step = max(1, _BATCH // blends)
    with frozen(model):
        for start in range(0, len(images), step):
            some = to_batch(images[start : start + step], device).repeat_interleave(blends, 0)
            over = to_batch(clean[partners[start : start + step].ravel()], device)
            chances = model((some + over) / 2).double().softmax(1)
            bits = -(chances * chances.clamp(min=1e-12).log2()).sum(1)
            entropies[start : start + step] = bits.view(-1, blends).mean(1).cpu().numpy()
    return entropies


def threshold_of(clean_entropies: NDArray[np.float64], false_rejection: float = FALSE_REJECTION) -> float:
    """Return the entropy that the given share of clean pictures falls short of.

    Gao et al. fit a normal distribution; ours is the quantile itself, since entropies are not normal near 0.

    Raises:
        ValueError: if the share is not between 0 and 1, or there are no clean entropies.
    """
    if not 0 < false_rejection < 1 or not len(clean_entropies):
        raise ValueError(f"expected clean entropies and a share in 0..1, got {len(clean_entropies)}, {false_rejection}")
    return float(np.quantile(clean_entropies, false_rejection))
