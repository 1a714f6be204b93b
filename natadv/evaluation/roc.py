"""How well scores tell two kinds of images apart: the area under the ROC curve, points of it, intervals (no torch).

A score is larger the more suspicious an image is; it is called where its score is above a threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
_ENDS = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Measured:
    """A share with its 95 % interval, all 0..1."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} % [{100 * self.low:.1f}-{100 * self.high:.1f}]"


def area_under_curve(clean: Scores, suspect: Scores) -> tuple[float, float, float]:
    """Return the area under the ROC curve and its 95 % interval (Hanley and McNeil 1982, Eq. 1), 0..1.

    The interval takes all images for independent; `curve_measures` does not.

    Raises:
        ValueError: if either is empty.
    """
    area = float(_above(clean, suspect).mean())
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (len(suspect) - 1) * (one - area**2) + (len(clean) - 1) * (two - area**2)
    half = 1.96 * float(np.sqrt(max(0.0, spread) / (len(clean) * len(suspect))))
    return area, max(0.0, area - half), min(1.0, area + half)


def roc_points(clean: Scores, suspect: Scores) -> tuple[Scores, Scores]:
    """Return the shares of clean and of suspect images that are called, from none to all, at each threshold."""
    thresholds = np.concatenate([[np.inf], np.unique(np.concatenate([clean, suspect]))[::-1]])
    below = (np.searchsorted(np.sort(scores), thresholds) / len(scores) for scores in (clean, suspect))
    of_clean, of_suspect = (1 - share for share in below)
    return of_clean, of_suspect


def curve_measures(
    clean: Scores,
    suspect: Scores,
    clean_sources: Sequence[str],
    suspect_sources: Sequence[str],
    *,
    false_alarms: float,
    rng: np.random.Generator,
    replicates: int = 1000,
) -> tuple[Measured, Measured]:
    """Return the area under the ROC curve, and the share of suspect images called at a rate of false alarms.

    The intervals are percentiles of a bootstrap (Efron 1979) that draws source images, not images: a clean image and
    what an attack made of it come and go together. Sources of both, of clean images alone and of suspect ones alone are
    drawn apart. Where one kind lies wholly above the other the interval has no width, whatever the number of images.

    Args:
        clean: scores, (n,).
        suspect: scores, (m,).
        clean_sources: of each clean image.
        suspect_sources: of each suspect one.
        false_alarms: share of the clean images, 0..1, that may be called at most; the threshold is theirs.
        rng: what the bootstrap draws from.
        replicates: how often it draws.

    Raises:
        ValueError: if either is empty, or a source is missing.
    """
    above = _above(clean, suspect)
    places = {name: place for place, name in enumerate(dict.fromkeys([*clean_sources, *suspect_sources]))}
    of_clean = np.array([places[name] for name in clean_sources])
    of_suspect = np.array([places[name] for name in suspect_sources])
    if len(of_clean) != len(clean) or len(of_suspect) != len(suspect):
        raise ValueError(f"expected a source for each of {len(clean)} and {len(suspect)} images")
    counts = _drawn(of_clean, of_suspect, len(places), rng, replicates)
    once = np.ones((1, len(places)))
    areas, calls = [], []
    for drawn in (once, counts):
        on_clean, on_suspect = drawn[:, of_clean], drawn[:, of_suspect]
        areas.append(_areas(above, on_clean, on_suspect))
        calls.append(_called(clean, suspect, on_clean, on_suspect, false_alarms))
    return _measured(*areas), _measured(*calls)


def drawn_areas(clean: Scores, suspect: Scores, on_clean: Scores, on_suspect: Scores) -> Scores:
    """Return the area under the ROC curve in each of some draws of the images, (draws,).

    Args:
        clean: scores, (n,).
        suspect: scores, (m,).
        on_clean: how often each clean image is drawn, (draws, n).
        on_suspect: likewise, (draws, m).

    Raises:
        ValueError: if either is empty.
    """
    return _areas(_above(clean, suspect), on_clean, on_suspect)


def _areas(above: Scores, on_clean: Scores, on_suspect: Scores) -> Scores:
    areas: Scores = ((on_suspect @ above) * on_clean).sum(1) / (on_suspect.sum(1) * on_clean.sum(1))
    return areas


def _above(clean: Scores, suspect: Scores) -> Scores:
    """Return for each pair whether the suspect scores more, (m, n): 1, 0, or a half where they are alike."""
    if not len(clean) or not len(suspect):
        raise ValueError(f"expected scores of both kinds, got {len(clean)} and {len(suspect)}")
    return (suspect[:, None] > clean[None]) + 0.5 * (suspect[:, None] == clean[None])


def _drawn(
    of_clean: NDArray[np.int64], of_suspect: NDArray[np.int64], sources: int, rng: np.random.Generator, replicates: int
) -> Scores:
    """Return how often each source is drawn in each replicate, (replicates, sources)."""
    in_clean, in_suspect = (np.isin(np.arange(sources), some) for some in (of_clean, of_suspect))
    counts = np.zeros((replicates, sources))
    for stratum in (in_clean & in_suspect, in_clean & ~in_suspect, ~in_clean & in_suspect):
        if size := int(stratum.sum()):
            counts[:, stratum] = rng.multinomial(size, np.full(size, 1 / size), replicates)
    return counts


def _called(clean: Scores, suspect: Scores, on_clean: Scores, on_suspect: Scores, false_alarms: float) -> Scores:
    """Return the weighted share of suspect images above the threshold of each replicate, (replicates,)."""
    order = np.argsort(-clean, kind="stable")
    share = on_clean[:, order].cumsum(1) / on_clean.sum(1, keepdims=True)
    first_too_many = (share > false_alarms + 1e-12).argmax(1)
    thresholds = clean[order][first_too_many]
    return (on_suspect * (suspect[None] > thresholds[:, None])).sum(1) / on_suspect.sum(1)


def _measured(value: Scores, replicates: Scores) -> Measured:
    low, high = np.percentile(replicates, _ENDS)
    return Measured(float(value[0]), float(low), float(high))
