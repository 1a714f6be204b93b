"""Calibration: does a classifier that says 90 % err once in ten times (Guo et al. 2017)?"""

import math
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import cross_entropy

from natadv.evaluation.rates import Rate

LOWEST, HIGHEST = 0.05, 20.0
"""Ends of the temperatures that are looked at: where all answers are right, lower were always better."""
_STEPS = 60


def fit_temperature(logits: Tensor, targets: Tensor) -> float:
    """Return the temperature T for which softmax(logits / T) explains the targets best (Sec. 4.2).

    The likelihood has one peak in 1 / T, so a golden-section search finds it. No answer changes, only how sure it is.

    Args:
        logits: (n, classes), of images that the classifier was not trained on.
        targets: true classes, (n,).

    Raises:
        ValueError: if there are none, or a logit is not finite.
    """
    if not len(targets) or len(logits) != len(targets) or not logits.isfinite().all():
        raise ValueError(f"expected finite logits and a class for each, got {tuple(logits.shape)} and {len(targets)}")

    def loss(log_temperature: float) -> float:
        return float(cross_entropy(logits.double() / math.exp(log_temperature), targets))

    low, high = math.log(LOWEST), math.log(HIGHEST)
    golden = (math.sqrt(5) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(_STEPS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = loss(right)
    return math.exp((low + high) / 2)


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers of about the same confidence: a point of a reliability diagram (Fig. 4).

    Attributes:
        confidence: their mean, 0..1.
        right: how many of them are.
    """

    confidence: float
    right: Rate


def reliability(probabilities: Tensor, targets: Tensor, bins: int = 15) -> tuple[Bin, ...]:
    """Return answers by their confidence, in bins of equal width; those without an answer are left out.

    Args:
        probabilities: (n, classes).
        targets: true classes, (n,).
        bins: over 0..1.

    Raises:
        ValueError: if there are no images or no bins.
    """
    if not len(targets) or bins < 1:
        raise ValueError(f"expected images and bins, got {len(targets)} and {bins}")
    confidence, answer = probabilities.double().max(1)
    right = answer == targets
    place = (confidence * bins).ceil().long().clamp(1, bins) - 1
    return tuple(
        Bin(float(confidence[place == one].mean()), Rate(int(right[place == one].sum()), int((place == one).sum())))
        for one in place.unique().tolist()
    )


def calibration_error(probabilities: Tensor, targets: Tensor, bins: int = 15) -> float:
    """Return the expected calibration error, 0..1: |accuracy - confidence|, a mean over bins of confidence (Eq. 3).

    The arguments, and what is raised, are those of `reliability`.
    """
    found = reliability(probabilities, targets, bins)
    return sum(one.right.total * abs(one.right.value - one.confidence) for one in found) / len(targets)
