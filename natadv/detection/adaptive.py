"""The adaptive attack on a bank's clean test images: how many can be made to fool classifier and detector together."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor, nn

from natadv.attacks.outcome import Outcome
from natadv.attacks.pgd_margin import pgd_margin
from natadv.attacks.undetected import passes, undetected
from natadv.detection.detector import Detector
from natadv.errors import ConfigError
from natadv.evaluation.rates import KinRate, Rate

Passes = Callable[[int, int], None]
"""Told how many batches an attack has shown to both models, and how many it will in all."""


def nobody(_done: int, _total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class AdaptiveMeasured:
    """What attacks on images that the classifier gets right came to.

    Attributes:
        plain: by PGD, which knows the classifier alone: those that fool it.
        plain_unseen: those of all that fool it and that the detector misses.
        adaptive: by the attack that knows both: those that fool it and that the detector misses.
        outcome: of the adaptive attack, image by image.
    """

    plain: Rate
    plain_unseen: Rate
    adaptive: Rate
    outcome: Outcome


def attack_both(
    classifier: nn.Module,
    detector: Detector,
    threshold: float,
    images: Tensor,
    labels: Tensor,
    kin: Sequence[str],
    *,
    epsilon: float,
    steps: int = 40,
    seed: int = 0,
    batch_size: int = 32,
    report: Passes = nobody,
) -> AdaptiveMeasured:
    """Attack images by one who does not know the detector, and by one who does.

    Args:
        classifier: with logits, in eval mode.
        detector: in eval mode.
        threshold: of its scores, between 0 and 1.
        images: clean, (n, 3, h, w), RGB in [0, 1]; those that the classifier gets wrong are left out.
        labels: true classes, (n,).
        kin: what each image is of, (n,).
        epsilon: l_inf budget of both.
        steps: of each way of the attack.
        seed: of all chance.
        batch_size: images at once.
        report: is told how far the attack is that knows both.

    Raises:
        ValueError: if the threshold is not between 0 and 1.
        ConfigError: if the classifier gets no image right.
    """
    if not 0 < threshold < 1:
        raise ValueError(f"expected a threshold between 0 and 1, got {threshold}")
    with torch.no_grad():
        right = torch.cat([classifier(part).argmax(1) for part in images.split(batch_size)]) == labels
    if not right.any():
        raise ConfigError(f"the classifier gets none of {len(images)} clean images right; name the model of their data")
    images, labels = images[right], labels[right]
    left = [name for name, stays in zip(kin, right.tolist(), strict=True) if stays]
    logit = math.log(threshold / (1 - threshold))
    plain = pgd_margin(classifier, images, labels, epsilon=epsilon, steps=steps, seed=seed, batch_size=batch_size)
    with torch.no_grad():
        unseen = torch.cat([detector(part) <= logit for part in plain.images.split(batch_size)])
    shown, total = count(1), passes(len(images), steps, batch_size)

    def watched(batch: Tensor) -> Tensor:
        report(next(shown), total)
        found: Tensor = detector(batch)
        return found

    adaptive = undetected(
        classifier,
        images,
        labels,
        detector=watched,
        threshold=logit,
        epsilon=epsilon,
        steps=steps,
        seed=seed,
        batch_size=batch_size,
    )

    def rate(which: Tensor) -> Rate:
        return KinRate.of(which.tolist(), left)

    return AdaptiveMeasured(rate(plain.fooled), rate(plain.fooled & unseen), rate(adaptive.fooled), adaptive)
