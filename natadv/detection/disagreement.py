"""Disagreement between RAIN's draws as a detector: what a randomised defence says of an image besides its answer.

It costs nothing where several draws are averaged anyway; `export.graph` gives it as the output `disagreement`.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, nn

from natadv.batches import to_batch
from natadv.defenses.agreement import agreed
from natadv.defenses.rain import Rain
from natadv.detection.scoring import Scorer


def disagreement_of(
    rain: Rain, classifier: nn.Module, *, draws: int, seed: int = 0, device: torch.device | str = "cpu"
) -> Scorer:
    """Return the disagreement of a classifier's answers behind so many draws of RAIN, 0..1, as a score of images.

    Args:
        rain: in eval mode, on `device`, as is the classifier.
        classifier: with logits.
        draws: passes of each image.
        seed: of their noise, which begins anew with each call.
        device: where to compute.

    Raises:
        ValueError: if there are fewer than two draws: one does not disagree with itself.
    """
    if draws < 2:
        raise ValueError(f"expected two draws or more, got {draws}")

    @torch.no_grad()
    def score(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        chance, found = Generator().manual_seed(seed), []
        for start in range(0, len(images), 32):
            batch = to_batch(images[start : start + 32], torch.device(device)).repeat_interleave(draws, 0)
            found.append(agreed(classifier(rain(batch, chance)).unflatten(0, (-1, draws)))[1].cpu())
        return torch.cat(found).double().numpy() if found else np.zeros(0)

    return score
