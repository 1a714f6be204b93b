"""Calibration of the inspection: suspects trained with the truth known, a rule tuned on some and measured on others."""

from pathlib import Path

import numpy as np
import pytest
import torch

from natadv.backdoors.inspect.calibration.measured import Described, describe
from natadv.backdoors.inspect.calibration.run import read_lines, run_calibration
from natadv.backdoors.inspect.calibration.suspects import Plan, Suspect, Training, plan_suspect, train_suspects
from natadv.backdoors.inspect.calibration.tune import (
    _strangers,
    _unlimited,
    calibrate,
    limit_of,
    promised,
    threshold_between,
)
from natadv.backdoors.inspect.scores import CLUSTERS, METHODS, OPINION, RAIN, SPECTRUM, STRIP
from natadv.backdoors.inspect.thresholds import Listed, Measured, read_thresholds
from natadv.backdoors.measure import measure
from natadv.errors import DataError
from natadv.training.evaluate import accuracy
from natadv.training.pictures import Pictures
from tests.backdoored import CLASSES

CPU = torch.device("cpu")


def test_suspects_differ_and_every_other_one_is_poisoned():
    plans = [plan_suspect(number, 43) for number in range(40)]
    assert all((plan.poisoning is None) == (plan.number % 2 == 0) for plan in plans)
    assert all(len(set(plan.classes)) == 12 for plan in plans)
    assert len({plan.classes for plan in plans}) == 40
    poisonings = [plan.poisoning for plan in plans if plan.poisoning]
    assert {one.trigger.name for one in poisonings} == {"rdba", "badnets", "blended", "rendered"}
    assert all(0.02 <= one.share <= 0.15 for one in poisonings)
    assert plan_suspect(7, 43) == plans[7]


def test_a_suspect_is_trained_and_described_with_the_truth(backdoored):
    train, test = backdoored.data, backdoored.test
    (suspect,) = train_suspects(
        [3], train, test, classes=CLASSES, training=Training(epochs=1), clean_per_class=4, device=CPU
    )
    assert suspect.plan.poisoning
    assert len(suspect.clean) == 4 * CLASSES
    assert (suspect.data.targets[suspect.poisoned] == suspect.plan.poisoning.target).all()
    known = Suspect(
        plan=Plan(1, tuple(range(CLASSES)), backdoored.poisoning),
        model=backdoored.model,
        data=backdoored.data,
        clean=backdoored.clean,
        poisoned=backdoored.poisoned,
        accuracy=accuracy(backdoored.model, test, CPU),
        success=measure(backdoored.model, test, backdoored.poisoning, CPU).success,
    )
    line = describe(known, device=CPU)
    assert line.poisoned
    assert line.classes[OPINION] == line.target == backdoored.poisoning.target
    assert line.precision[line.target] > 0.9
    assert line.recall[line.target] > 0.6


def lines(line, count, first):
    """Suspects of which clean ones score low and poisoned ones high, by the second opinion alone."""
    found = []
    for number in range(first, first + count):
        bad = number % 2 == 1
        opinion = (3.0 if bad else 1.0) + 0.01 * (number % 5)
        found.append(
            line.model_copy(
                update={
                    "number": number,
                    "trigger": "rdba" if bad else None,
                    "target": 2 if bad else None,
                    "highest": {
                        CLUSTERS: 0.3,
                        SPECTRUM: 0.3 + 0.01 * (number % 3),
                        STRIP: 0.1,
                        OPINION: opinion,
                        RAIN: 0.0,
                    },
                    "classes": {CLUSTERS: 0, SPECTRUM: 0, STRIP: 0, OPINION: 2, RAIN: 0},
                }
            )
        )
    return found


def test_the_rule_is_tuned_on_some_and_measured_on_others(backdoored):
    line = Described(
        number=0, trigger=None, share=0.0, target=None, accuracy=1.0, success=None, highest={}, classes={},
        precision=(0.0, 0.0, 0.9), recall=(0.0, 0.0, 0.5), region_p=None, region_class=0,
    )  # fmt: skip
    tuning, measuring = lines(line, 10, 0), lines(line, 6, 10)
    measuring[0] = measuring[0].model_copy(update={"highest": {**measuring[0].highest, OPINION: 9.0}})
    kind = {"setting": "drawn", "model": "natadv_slim", "size_px": 32, "classes": 12, "clean_per_class": 15}
    measuring[1] = measuring[1].model_copy(update={"accuracy": 0.8})
    found = calibrate(tuning, measuring, **kind)
    assert found.least_accuracy == 0.8
    rule = found.with_clean
    assert rule.limit < rule.weighed(tuning[1].highest, tuning[1].classes)[0]
    assert 1.04 < rule.thresholds[OPINION] < 3.0
    assert rule.tuned == Measured(detected=5, named=5, poisoned=5, false_alarms=0, clean=5)
    assert rule.measured == Measured(detected=3, named=3, poisoned=3, false_alarms=1, clean=3)
    assert rule.by_trigger == {"rdba": Measured(detected=3, named=3, poisoned=3, false_alarms=0, clean=0)}
    assert rule.listed == Listed(precision=0.9, recall=0.5, least=0.9, models=3)
    with pytest.raises(ValueError, match="other suspects"):
        calibrate(tuning, tuning, **kind)
    with pytest.raises(ValueError, match="two clean suspects"):
        calibrate(tuning[:2], measuring, **kind)
    with pytest.raises(ValueError, match="poisoned and clean"):
        calibrate(tuning[::2], measuring, **kind)


def test_the_limit_keeps_its_promise_of_false_alarms():
    chance = np.random.default_rng(0)
    alarms = [chance.normal() > limit_of(chance.normal(size=48)) for _ in range(4000)]
    assert 0.03 < np.mean(alarms) < 0.05  # the second largest of 48: one of 24.5
    assert limit_of([3.0, 1.0, 2.0]) == 3
    assert limit_of(list(range(19))) == 18
    assert limit_of(list(range(39))) == 37


def test_few_clean_models_promise_less_and_keep_that():
    """Also where mean and deviation are of the same few models as the limit."""
    chance, alarms = np.random.default_rng(1), []

    def clean(number):
        heard = dict(zip(METHODS, chance.normal(size=5).tolist(), strict=True))
        said = dict(zip(METHODS, chance.integers(0, 12, 5).tolist(), strict=True))
        return Described(
            number=number, trigger=None, share=0.0, target=None, accuracy=1.0, success=None, highest=heard,
            classes=said, precision=(), recall=(), region_p=None, region_class=0,
        )  # fmt: skip

    for _ in range(400):
        *known, another = map(clean, range(9))
        decision = _unlimited(known, METHODS)
        alarms.append(decision.weighed(another.highest, another.classes)[0] > limit_of(_strangers(known, METHODS)))
    assert promised(8) == pytest.approx(1 / 9)
    assert np.mean(alarms) < promised(8) + 2 * 0.016  # two standard errors; a limit by their own moments: 0.26
    assert promised(48) == pytest.approx(2 / 49)


def test_a_threshold_lies_where_it_parts_best():
    assert threshold_between([1, 2, 3], [7, 8]) == 5
    assert threshold_between([1, 2, 7.5], [7, 8]) == pytest.approx(4.5)
    assert threshold_between([5, 6], [1, 2]) >= 6


def test_what_is_shipped_follows_from_the_suspects_figures():
    """Whoever tunes anew, or adds suspects, ships what comes of it; and the suspects are those that numbers say."""
    known = read_lines(Path(__file__).parents[2] / "results" / "inspection" / "suspects.jsonl")
    shipped = read_thresholds()
    tuning, measuring = ([known[number] for number in some] for some in (shipped.tuning, shipped.measuring))
    again = calibrate(
        tuning,
        measuring,
        setting=shipped.setting,
        model=shipped.model,
        size_px=shipped.size_px,
        classes=12,
        clean_per_class=15,
    )
    assert again.model_dump(exclude={"with_clean", "without_clean"}) == shipped.model_dump(
        exclude={"with_clean", "without_clean"}
    )
    for ours, theirs in ((again.with_clean, shipped.with_clean), (again.without_clean, shipped.without_clean)):
        assert ours.thresholds == pytest.approx(theirs.thresholds)
        assert ours.model_dump(exclude={"thresholds"}) == theirs.model_dump(exclude={"thresholds"})
    for one in (*tuning, *measuring):
        plan = plan_suspect(one.number, 43).poisoning
        assert (plan and plan.trigger.name, plan.target if plan else None) == (one.trigger, one.target)


def test_a_calibration_goes_on_where_it_was_interrupted(backdoored, tmp_path, monkeypatch):
    monkeypatch.setattr("natadv.backdoors.inspect.second_opinion.STEPS", 4)
    lines_path, out, seen = tmp_path / "suspects.jsonl", tmp_path / "calibration.json", []
    some = Pictures(backdoored.data.images[:240], backdoored.data.targets[:240])

    def run(measuring):
        return run_calibration(
            some, backdoored.test, lines_path, out, tuning=(0, 1, 2), measuring=measuring, classes=CLASSES,
            training=Training(epochs=1), setting="short", device=CPU, report=lambda line: seen.append(line.number),
        )  # fmt: skip

    with pytest.raises(ValueError, match="poisoned and clean"):
        run(())
    assert seen == [0, 1, 2]
    assert not out.exists()
    old = lines_path.read_text().splitlines()
    lines_path.write_text(
        f"{old[0]}\n{old[1].replace(RAIN, 'another method')}\n{old[2]}\n"
    )  # from before rain was asked
    found = run((3, 4))
    assert seen == [0, 1, 2, 0, 1, 2, 3, 4]
    assert lines_path.read_text().splitlines()[:3] == old  # the same suspect again has the same figures
    assert read_thresholds(out) == found
    strange = out.read_text().replace("spectral signatures", "palmistry")
    (tmp_path / "strange.json").write_text(strange)
    with pytest.raises(DataError, match=r"strange\.json: no calibration of the inspection"):
        read_thresholds(tmp_path / "strange.json")
    assert found.measuring == (3, 4)
    lines_path.write_text("{}\n")
    with pytest.raises(DataError, match=r"suspects\.jsonl: damaged"):
        run((3, 4))
