"""The threshold of a score, for a chosen share of false alarms, from clean images that trained nothing (no torch).

Frames of one sign have scores that are alike, so that many of them know little more than one. What is promised is
therefore promised for an image of a thing that is not among those that chose the threshold: hierarchical conformal
prediction (Lee, Barber and Willett 2023, "Distribution-free inference with hierarchical data", arXiv 2306.06342).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from natadv.errors import ConfigError
from natadv.evaluation.rates import KinRate, Rate

_DIGITS = 9
"""To which weights are told apart: sums of thirds are not quite whole."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold, and what it was chosen by.

    Attributes:
        value: a score above it is an alarm.
        false_alarms: share that was asked for, 0..1: an image of a new kin is above it no more often than that.
        above: of the clean images that it was chosen by, those above it, with the interval that their number allows.
        kin: of how many kin these are; None: a former version chose it, as if each image were its own kin.
    """

    value: float
    false_alarms: float
    above: Rate
    kin: int | None = None


def least_kin(false_alarms: float) -> int:
    """Return how many kin it takes to promise a share of false alarms, 0..1: of K kin, 1 / (K + 1) is the least."""
    return math.ceil(round(1 / false_alarms, _DIGITS)) - 1


def threshold_at(
    clean: NDArray[np.float64],
    false_alarms: float,
    kin: Sequence[str] | None = None,
    *,
    mend: str = "make a larger bank",
) -> Threshold:
    """Return the least threshold that promises a share of false alarms among images of kin that are new.

    Of K kin each weighs 1 / (K + 1), which its images share alike, and 1 / (K + 1) is infinite; the threshold is the
    least score up to which there is a weight of 1 - share. Of kin that are drawn as these were, an image of the next is
    above it with a probability of at most the share, however alike or many the images of a kin and whatever the
    scores' distribution. Where each kin is one image it is the ceil((n + 1) (1 - share))-th smallest of n scores
    (conformal prediction: Vovk et al. 2005, Prop. 2.4).

    Args:
        clean: scores of clean images that the detector has not seen, (n,).
        false_alarms: the share, above 0 and below 1.
        kin: what each image is of, (n,); None: each of something else.
        mend: how to get more kin, for the error.

    Raises:
        ValueError: if the share is not in there, a score is no number, or there are not as many kin as scores.
        ConfigError: if there are too few kin to promise so little.
    """
    if not 0 < false_alarms < 1 or not np.isfinite(clean).all():
        raise ValueError(f"expected a share between 0 and 1 and finite scores, got {false_alarms}")
    count = len(clean)
    if kin is not None and len(kin) != count:
        raise ValueError(f"expected the kin of {count} images, got {len(kin)}")
    names = np.arange(count).astype(str) if kin is None else np.array(kin)
    _, of_each, sizes = np.unique(names, return_inverse=True, return_counts=True)
    if len(sizes) < least_kin(false_alarms):
        possible = math.ceil(1000 / (len(sizes) + 1)) / 1000
        raise ConfigError(
            f"false alarms of {100 * false_alarms:g} % cannot be promised by {count} clean images of {len(sizes)}"
            f" sources: it takes {least_kin(false_alarms)} sources; {mend}, or ask for --false-alarms {possible:g}"
        )
    # In units of one kin's weight, so that where each is one image the sums are whole numbers.
    wanted = round((len(sizes) + 1) * (1 - false_alarms), _DIGITS)
    order = np.argsort(clean)
    weights = np.cumsum(1 / sizes[of_each[order]]).round(_DIGITS)
    value = float(clean[order[np.searchsorted(weights, wanted)]])
    above = (clean > value).tolist()
    rate = Rate(sum(above), count) if kin is None else KinRate.of(above, kin)
    return Threshold(value, false_alarms, rate, len(sizes))
