"""The threshold of a score, for a chosen share of false alarms, from clean images that trained nothing (no torch)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from natadv.errors import ConfigError
from natadv.evaluation.rates import KinRate, Rate


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold, and what it was chosen by.

    Attributes:
        value: a score above it is an alarm.
        false_alarms: share that was asked for, 0..1: the next clean image is above it no more often than that.
        above: of the clean images that it was chosen by, those above it, with the interval that their number allows.
    """

    value: float
    false_alarms: float
    above: Rate


def threshold_at(clean: NDArray[np.float64], false_alarms: float, kin: Sequence[str] | None = None) -> Threshold:
    """Return the least threshold that promises a share of false alarms.

    The ceil((n + 1) (1 - share))-th smallest of n scores: of images drawn as these were, the next is above it with a
    probability of at most the share, whatever the scores' distribution (conformal prediction: Vovk et al. 2005,
    Prop. 2.4). The plain quantile would be too low by about one image, which among few is much. That takes images for
    drawn one by one. Frames of one thing are not: of other things more may be above; the interval tells how far off.

    Args:
        clean: scores of clean images that the detector has not seen, (n,).
        false_alarms: the share, above 0 and below 1.
        kin: what each image is of, (n,), for the interval; None: each of something else.

    Raises:
        ValueError: if the share is not in there, or a score is no number.
        ConfigError: if there are too few images to promise so little.
    """
    if not 0 < false_alarms < 1 or not np.isfinite(clean).all():
        raise ValueError(f"expected a share between 0 and 1 and finite scores, got {false_alarms}")
    count = len(clean)
    rank = math.ceil(round((count + 1) * (1 - false_alarms), 9))
    if rank > count:
        least = math.ceil(round(1 / false_alarms, 9)) - 1
        possible = math.ceil(1000 / (count + 1)) / 1000
        raise ConfigError(
            f"false alarms of {100 * false_alarms:g} % cannot be promised by {count} clean images that were held back:"
            f" it takes {least}; make a larger bank, hold more back, or ask for --false-alarms {possible:g}"
        )
    value = float(np.sort(clean)[rank - 1])
    above = clean > value
    if kin is None:
        return Threshold(value, false_alarms, Rate(int(above.sum()), count))
    return Threshold(value, false_alarms, KinRate.of(above.tolist(), kin))
