"""Screening: which of a model's inputs keep their answer whatever is blended over them (STRIP as an input filter)."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from natadv.backdoors.inspect.strip import FALSE_REJECTION, blended_entropy, threshold_of
from natadv.errors import DataError
from natadv.evaluation.rates import KinRate
from natadv.training.pictures import Pictures


@dataclass(frozen=True)
class Screened:
    """What a filter let through.

    Attributes:
        entropies: of the answers to each input under blending, bits, (n,).
        limit: below which an input is suspected.
        limited_by: clean pictures that it was chosen by.
        clean: of clean pictures that the limit was not chosen by, those that are suspected.
        counted: how the interval of that counts them, in words.
    """

    entropies: NDArray[np.float64]
    limit: float
    limited_by: int
    clean: KinRate
    counted: str

    @property
    def suspected(self) -> NDArray[np.bool_]:
        """Which inputs are, (n,)."""
        return self.entropies < self.limit


def screen(
    model: nn.Module,
    images: NDArray[np.uint8],
    clean: Pictures,
    *,
    false_rejection: float = FALSE_REJECTION,
    seed: int = 0,
    device: torch.device,
) -> Screened:
    """Screen inputs of a model; half of the clean pictures set the limit, the other half says how often it is wrong.

    Frames of one thing are all in one half.

    Args:
        model: on `device`; gives logits of (n, 3, h, w) in 0..1.
        images: inputs at the model's size, uint8 RGB, (n, h, w, 3).
        clean: pictures known to be clean, at the same size.
        false_rejection: share of clean inputs that may be suspected, 0..1.
        seed: of the halves, and of what is blended.
        device: where to compute.

    Raises:
        DataError: if the clean pictures are of fewer than two things.
        ValueError: if the share is not between 0 and 1.
    """
    chance = np.random.default_rng(seed)
    names, members = np.unique(np.array(clean.things), return_inverse=True)
    if len(names) < 2:
        raise DataError(f"{len(clean)} clean images of {len(names)} things are too few to screen by; take more of them")
    first = np.isin(members, chance.permutation(len(names))[: (len(names) + 1) // 2])
    ours, others = clean.subset(np.flatnonzero(first)), clean.subset(np.flatnonzero(~first))

    def entropies(shown: NDArray[np.uint8]) -> NDArray[np.float64]:
        return blended_entropy(model, shown, ours.images, chance, device=device)

    limit = threshold_of(entropies(ours.images), false_rejection)
    wrong = KinRate.of((entropies(others.images) < limit).tolist(), others.things)
    return Screened(entropies(images), limit, len(ours), wrong, others.counted)
