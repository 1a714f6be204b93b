"""How well a score tells each kind of a bank's test images from the clean ones."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from natadv.detection.banked import CLEAN, Family
from natadv.detection.scoring import Scorer
from natadv.detection.shown import Shown
from natadv.errors import DataError
from natadv.evaluation.rates import KinRate, Rate
from natadv.evaluation.roc import Measured, Scores, curve_measures

COUNTERPARTS = {"captured": "dry"}
"""Of kinds that came another way than `clean`: the clean kind that came that way, where a bank has it."""


@dataclass(frozen=True)
class KindMeasured:
    """One kind against the clean images.

    Attributes:
        kind: its name.
        family: its category.
        seen: whether the detector was trained on it.
        images: how many.
        against: the clean kind that it is told from.
        area: under the ROC curve.
        called: share above the threshold by which the clean test images themselves have the rate of false alarms.
        caught: those above the detector's own threshold, which it brought with it, with the interval that kin leave;
            None: it has none.
    """

    kind: str
    family: Family
    seen: bool
    images: int
    against: str
    area: Measured
    called: Measured
    caught: Rate | None


@dataclass(frozen=True)
class BankMeasured:
    """All kinds.

    Attributes:
        false_alarms: rate that `called` goes by, 0..1.
        alarms: test images of each clean kind above the detector's own threshold; empty: it has none.
        kinds: in the bank's order.
        scores: of the images by kind, the clean ones too.
    """

    false_alarms: float
    alarms: Mapping[str, Rate]
    kinds: tuple[KindMeasured, ...]
    scores: Mapping[str, Scores] = field(repr=False)


def measured(
    scorer: Scorer,
    shown: Shown,
    families: Mapping[str, Family],
    *,
    seen: tuple[str, ...] = (),
    threshold: float | None = None,
    false_alarms: float = 0.01,
    seed: int = 0,
    replicates: int = 1000,
) -> BankMeasured:
    """Measure a score on images of several kinds, `clean` among them.

    Args:
        scorer: any score of images: a detector's, or a disagreement.
        shown: test images.
        families: the category of each adversarial kind, in the order of the result.
        seen: kinds that the score was trained on.
        threshold: its own.
        false_alarms: rate at which the share called is said, 0..1.
        seed: of the bootstrap.
        replicates: of the bootstrap.

    Raises:
        DataError: if a score is no number.
    """
    clean_kinds = tuple(dict.fromkeys(shown.kinds[shown.clean].tolist()))
    scores = {kind: scorer(shown.of(kind).images) for kind in (*clean_kinds, *families)}
    kin = {kind: shown.of(kind).kin.tolist() for kind in scores}
    odd = next((kind for kind, found in scores.items() if not np.isfinite(found).all()), None)
    if odd is not None:
        raise DataError(f"the detector gives scores that are no numbers, on {odd} images; train it anew")
    kinds = []
    for kind, family in families.items():
        against = counterpart(kind, clean_kinds)
        area, called = curve_measures(
            scores[against],
            scores[kind],
            kin[against],
            kin[kind],
            false_alarms=false_alarms,
            rng=np.random.default_rng(seed),
            replicates=replicates,
        )
        caught = None if threshold is None else _above(scores[kind], threshold, kin[kind])
        kinds.append(KindMeasured(kind, family, kind in seen, len(scores[kind]), against, area, called, caught))
    alarms = {} if threshold is None else {kind: _above(scores[kind], threshold, kin[kind]) for kind in clean_kinds}
    return BankMeasured(false_alarms, alarms, tuple(kinds), scores)


def counterpart(kind: str, there: Collection[str]) -> str:
    """Return the clean kind that a kind is told from: the one that came its way, where it is there."""
    found = COUNTERPARTS.get(kind, CLEAN)
    return found if found in there else CLEAN


def _above(scores: Scores, threshold: float, kin: Sequence[str]) -> Rate:
    return KinRate.of((scores > threshold).tolist(), kin)
