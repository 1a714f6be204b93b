"""A bench's rates, with intervals that count what the images are of: thirty frames of one sign are not thirty signs."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from natadv.defenses.defended import Defended
from natadv.evaluation.rates import KinRate
from natadv.evaluation.robustness import Measured
from natadv.evaluation.success import is_right


def robust_rate(measured: Measured, kin: Sequence[str]) -> KinRate:
    """Return how often the attacked images are still right, over all repeats of an attack.

    Args:
        measured: what the attack did.
        kin: what each image is of, (n,); its repeats are of the same.
    """
    return KinRate.of([not record.fooled for record in measured.records], [*kin] * measured.repeats)


def left_by_all(attacks: Sequence[Measured], kin: Sequence[str]) -> KinRate:
    """Return how many images no attack fools in any of its repeats: an attacker takes for each what fools it.

    Args:
        attacks: what each did to the same images.
        kin: what each image is of, (n,).
    """
    fooled = [False] * len(kin)
    for measured in attacks:
        for place, record in enumerate(measured.records):
            fooled[place % len(kin)] |= record.fooled
    return KinRate.of([not one for one in fooled], kin)


def clean_passes(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    kin: Sequence[str],
    *,
    passes: int = 1,
    seed: int = 0,
    batch_size: int = 64,
) -> tuple[list[bool], list[str]]:
    """Return whether a model is right on clean images, pass by pass, and what each of these is of, for `KinRate.of`.

    Args:
        model: in eval mode.
        images: (n, 3, h, w), RGB in [0, 1].
        labels: true classes, (n,).
        kin: what each image is of, (n,).
        passes: of each image; several where the model is randomised. Their rate is Eq. 3 of Du et al. 2021.
        seed: of the passes' noise.
        batch_size: images at once.

    Raises:
        ValueError: if the model answers NaN.
    """
    if isinstance(model, Defended):
        model.reseed(seed)
    right = [is_right(model, images, labels, batch_size=batch_size) for _ in range(passes if len(images) else 0)]
    return torch.cat(right).tolist() if right else [], [*kin] * passes
