"""Numbers of one set of images, with what each comes to in the same bootstrap replicates of that set (no torch).

Means and differences of such numbers keep what they have in common: two areas on the same images differ by more than
chance where their difference does, even if their own intervals overlap.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from natadv.errors import DataError
from natadv.evaluation.roc import Scores, drawn_areas

_ENDS = (2.5, 97.5)


@dataclass(frozen=True)
class Resampled:
    """A number, and what it is in each replicate.

    Attributes:
        values: the number itself, then that of each replicate, (1 + replicates,).
    """

    values: Scores

    @property
    def value(self) -> float:
        """The number."""
        return float(self.values[0])

    @property
    def interval(self) -> tuple[float, float]:
        """The percentiles of the replicates that hold 95 % (Efron 1979); of no width where all are alike."""
        low, high = np.percentile(self.values[1:], _ENDS)
        return float(low), float(high)

    def __sub__(self, other: "Resampled") -> "Resampled":
        """Return the difference, replicate by replicate."""
        return Resampled(self.values - other.values)


def mean_of(numbers: Sequence[Resampled]) -> Resampled:
    """Return the mean of one number or more."""
    return Resampled(np.mean([number.values for number in numbers], axis=0))


def least_of(numbers: Sequence[Resampled]) -> Resampled:
    """Return the least of one number or more, in each replicate by itself."""
    return Resampled(np.min([number.values for number in numbers], axis=0))


class KinBootstrap:
    """Draws of what images are of: all images of one thing come and go together, in every kind of image."""

    def __init__(self, kin: Sequence[str], *, seed: int, replicates: int = 1000) -> None:
        """Draw.

        Args:
            kin: of all images that there are, in any order.
            seed: of the draws.
            replicates: how many.
        """
        names = sorted(set(kin))
        self._places = {name: place for place, name in enumerate(names)}
        drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), replicates)
        self._counts = np.concatenate([np.ones((1, len(names))), drawn])

    def counts(self, kin: Sequence[str]) -> NDArray[np.float64]:
        """Return how often each of some images is there, (1 + replicates, n); first, once each.

        Raises:
            DataError: if some replicate has none of them, so few things are they of.
        """
        found = self._counts[:, [self._places[name] for name in kin]]
        if not found.any(1).all():
            raise DataError(f"{len(set(kin))} different images are too few for an interval; make a larger bank")
        return found

    def area(self, clean: Scores, clean_kin: Sequence[str], suspect: Scores, suspect_kin: Sequence[str]) -> Resampled:
        """Return the area under the ROC curve, 0..1."""
        return Resampled(drawn_areas(clean, suspect, self.counts(clean_kin), self.counts(suspect_kin)))

    def share(self, which: NDArray[np.bool_], kin: Sequence[str]) -> Resampled:
        """Return the share of images that something is true of, 0..1."""
        counts = self.counts(kin)
        return Resampled((counts * which).sum(1) / counts.sum(1))
