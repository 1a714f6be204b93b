"""Tune the inspection on some suspects, measure it on others, and never on the same."""

from collections.abc import Sequence

import numpy as np

from natadv.backdoors.inspect.calibration.measured import Described
from natadv.backdoors.inspect.scores import METHODS, WITHOUT_CLEAN
from natadv.backdoors.inspect.thresholds import Decision, Measured, Rule, Thresholds


def calibrate(
    tuning: Sequence[Described], measuring: Sequence[Described], *, setting: str, model: str, size_px: int, classes: int
) -> Thresholds:
    """Return the rules that do best on `tuning`, with what they do on `measuring`.

    Args:
        tuning: poisoned and clean suspects.
        measuring: others of both.
        setting: what was trained on what, in words.
        model: timm's name of the suspects' network.
        size_px: side of their pictures.
        classes: of each of them.

    Raises:
        ValueError: if the two share a suspect, or either lacks poisoned or clean ones.
    """
    if {one.number for one in tuning} & {one.number for one in measuring}:
        raise ValueError("expected other suspects to measure on than to tune on")
    for some in (tuning, measuring):
        if len({one.poisoned for one in some}) < 2:
            raise ValueError("expected poisoned and clean suspects in both parts")
    return Thresholds(
        setting=setting,
        model=model,
        size_px=size_px,
        classes=classes,
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


def _rule(tuning: Sequence[Described], measuring: Sequence[Described], methods: Sequence[str]) -> Rule:
    thresholds = {
        name: threshold_between(
            [one.highest[name] for one in tuning if not one.poisoned],
            [_rightly(one, name) for one in tuning if one.poisoned],
        )
        for name in methods
    }
    clean = [one for one in tuning if not one.poisoned]
    deviations = {name: float(np.std([one.highest[name] for one in clean])) for name in methods}

    def decided(*deciding: str) -> Decision:
        return Decision(thresholds=thresholds, deviations=deviations, deciding=deciding)

    decision = decided()
    # The best method decides; another joins if on the tuning models it finds more than it alarms for nothing.
    for _ in methods:
        joined = [decided(*decision.deciding, name) for name in methods if name not in decision.deciding]
        best = max(joined, key=lambda one: _gain(tuning, one))
        if _gain(tuning, best) <= (_gain(tuning, decision) if decision.deciding else -1):
            break
        decision = best
    triggers = sorted({one.trigger for one in measuring if one.trigger})
    return Rule(
        **decision.model_dump(),
        tuned=measure(tuning, decision),
        measured=measure(measuring, decision),
        by_method={name: measure(measuring, _alone(decision, name)) for name in methods},
        by_trigger={name: measure([one for one in measuring if one.trigger == name], decision) for name in triggers},
    )


def _alone(decision: Decision, name: str) -> Decision:
    """Return what one method would decide that no other is heard beside."""
    thresholds, deviations = {name: decision.thresholds[name]}, {name: decision.deviations[name]}
    return Decision(thresholds=thresholds, deviations=deviations, deciding=(name,))


def _rightly(one: Described, name: str) -> float:
    """Return what a method has of a poisoned suspect, or nothing where it has it of the wrong class."""
    return one.highest[name] if one.classes[name] == one.target else -np.inf


def measure(some: Sequence[Described], decision: Decision) -> Measured:
    """Count what a decision does on suspects."""
    poisoned = [one for one in some if one.poisoned]
    clean = [one for one in some if not one.poisoned]
    named = [decision.named(one.highest, one.classes) for one in poisoned]
    return Measured(
        detected=sum(label is not None for label in named),
        named=sum(label is not None and label == one.target for label, one in zip(named, poisoned, strict=True)),
        poisoned=len(poisoned),
        false_alarms=sum(decision.named(one.highest, one.classes) is not None for one in clean),
        clean=len(clean),
    )


def _gain(some: Sequence[Described], decision: Decision) -> float:
    """Return the share of poisoned suspects named rightly less that of false alarms.

    A method that suspects the right model of the wrong class has found something else than the poison.
    """
    found = measure(some, decision)
    return found.named / found.poisoned - found.false_alarm.value
