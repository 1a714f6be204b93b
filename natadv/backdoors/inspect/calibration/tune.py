"""Tune the inspection on some suspects, measure it on others, and never on the same."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from natadv.backdoors.inspect.calibration.measured import Described
from natadv.backdoors.inspect.scores import METHODS, OPINION, WITHOUT_CLEAN
from natadv.backdoors.inspect.thresholds import Decision, Listed, Measured, Rule, Thresholds

FALSE_ALARMS = 0.05
"""Of clean models, the share that may be suspected."""


def calibrate(
    tuning: Sequence[Described],
    measuring: Sequence[Described],
    *,
    setting: str,
    model: str,
    size_px: int,
    classes: int,
    clean_per_class: int,
) -> Thresholds:
    """Return the rules that do best on `tuning`, with what they do on `measuring`.

    Args:
        tuning: poisoned and clean suspects.
        measuring: others of both.
        setting: what was trained on what, in words.
        model: timm's name of the suspects' network.
        size_px: side of their pictures.
        classes: of each of them.
        clean_per_class: clean pictures that each was inspected with.

    Raises:
        ValueError: if the two share a suspect, either lacks poisoned or clean ones, or one alone of `tuning` is clean.
    """
    if {one.number for one in tuning} & {one.number for one in measuring}:
        raise ValueError("expected other suspects to measure on than to tune on")
    for some in (tuning, measuring):
        if len({one.poisoned for one in some}) < 2:
            raise ValueError("expected poisoned and clean suspects in both parts")
    if sum(not one.poisoned for one in tuning) < 2:
        raise ValueError("expected two clean suspects or more to tune on")
    return Thresholds(
        setting=setting,
        model=model,
        size_px=size_px,
        classes=classes,
        clean_per_class=clean_per_class,
        least_accuracy=min(one.accuracy for one in [*tuning, *measuring]),
        tuning=tuple(one.number for one in tuning),
        measuring=tuple(one.number for one in measuring),
        with_clean=_rule(tuning, measuring, METHODS),
        without_clean=_rule(tuning, measuring, WITHOUT_CLEAN),
    )


def threshold_between(clean: Sequence[float], poisoned: Sequence[float]) -> float:
    """Return the number above which poisoned models lie best: largest difference of shares, halfway to the next.

    Of equally good ones, the highest: a false alarm is dearer, since most models are clean.
    """
    values = np.unique([*clean, *poisoned])
    between = np.concatenate([(values[:-1] + values[1:]) / 2, values[-1:]])
    gains = [np.mean(np.asarray(poisoned) > limit) - np.mean(np.asarray(clean) > limit) for limit in between]
    return float(between[np.flatnonzero(np.isclose(gains, max(gains)))[-1]])


def limit_of(clean: Sequence[float], false_alarms: float = FALSE_ALARMS) -> float:
    """Return what another clean model exceeds by a chance of `false_alarms` at most (conformal prediction).

    It is chosen by clean models alone: a limit that parts those at hand best has too many false alarms among others. Of
    fewer than 1 / `false_alarms` - 1 models it is the largest number, which promises less.
    """
    ordered = sorted(clean)
    return ordered[min(len(ordered), math.ceil((len(ordered) + 1) * (1 - false_alarms))) - 1]


def promised(clean: int) -> float:
    """Return how often at most another clean model is suspected, 0..1, by a limit of so many clean tuning models."""
    return 1 - min(clean, math.ceil((clean + 1) * (1 - FALSE_ALARMS))) / (clean + 1)


def _rule(tuning: Sequence[Described], measuring: Sequence[Described], methods: Sequence[str]) -> Rule:
    clean, poisoned = ([one for one in tuning if one.poisoned == of] for of in (False, True))
    thresholds = {
        name: threshold_between([one.highest[name] for one in clean], [_rightly(one, name) for one in poisoned])
        for name in methods
    }
    decision = _unlimited(clean, methods).model_copy(update={"limit": limit_of(_strangers(clean, methods))})
    triggers = sorted({one.trigger for one in measuring if one.trigger})

    def decided(one: Described) -> int | None:
        return decision.named(one.highest, one.classes)

    def alone(name: str) -> Callable[[Described], int | None]:
        return lambda one: one.classes[name] if one.highest[name] > thresholds[name] else None

    return Rule(
        **decision.model_dump(),
        thresholds=thresholds,
        tuned=measure(tuning, decided),
        measured=measure(measuring, decided),
        by_method={name: measure(measuring, alone(name)) for name in methods},
        by_trigger={name: measure([one for one in measuring if one.trigger == name], decided) for name in triggers},
        # The lines tell of clusters that were chosen with clean pictures.
        listed=_listed(measuring, decided) if OPINION in methods else None,
    )


def _unlimited(clean: Sequence[Described], methods: Sequence[str]) -> Decision:
    numbers = {name: [one.highest[name] for one in clean] for name in methods}
    return Decision(
        means={name: float(np.mean(some)) for name, some in numbers.items()},
        deviations={name: float(np.std(some, ddof=min(1, len(some) - 1))) for name, some in numbers.items()},
        limit=0.0,
    )


def _strangers(clean: Sequence[Described], methods: Sequence[str]) -> list[float]:
    """Return the sum of each clean model, by the mean and deviation of the others: as a model is met that is new.

    By its own mean and deviation too, none of n is further out than (n - 1) / sqrt(n), and the limit would be too low.
    """
    sums = []
    for place, one in enumerate(clean):
        others = _unlimited([*clean[:place], *clean[place + 1 :]], methods)
        sums.append(others.weighed(one.highest, one.classes)[0])
    return sums


def _listed(found: Sequence[Described], named: Callable[[Described], int | None]) -> Listed | None:
    """Return how good the lists of pictures are, of poisoned models whose class is named rightly; None without one."""
    rightly = [(one, one.target) for one in found if one.target is not None and named(one) == one.target]
    if not rightly:
        return None
    return Listed(
        precision=float(np.mean([one.precision[target] for one, target in rightly])),
        recall=float(np.mean([one.recall[target] for one, target in rightly])),
        models=len(rightly),
        least=min(one.precision[target] for one, target in rightly),
    )


def _rightly(one: Described, name: str) -> float:
    """Return what a method has of a poisoned suspect, or nothing where it has it of the wrong class."""
    return one.highest[name] if one.classes[name] == one.target else -np.inf


def measure(some: Sequence[Described], named: Callable[[Described], int | None]) -> Measured:
    """Count what a decision does on suspects.

    Args:
        some: poisoned or clean.
        named: gives the class that a suspect is suspected of, or None.
    """
    clean, poisoned = ([one for one in some if one.poisoned == of] for of in (False, True))
    labels = [named(one) for one in poisoned]
    return Measured(
        detected=sum(label is not None for label in labels),
        named=sum(label is not None and label == one.target for label, one in zip(labels, poisoned, strict=True)),
        poisoned=len(poisoned),
        false_alarms=sum(named(one) is not None for one in clean),
        clean=len(clean),
    )
