"""The verdict of an inspection: added up from methods, with its evidence, its error rates and what they rest on."""

import copy
import math
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from natadv.backdoors.inspect.scores import CLUSTERS, OPINION, RAIN, SPECTRUM, STRIP, score_model
from natadv.backdoors.inspect.screen import screen
from natadv.backdoors.inspect.thresholds import Decision, Measured, Rule, Thresholds, read_thresholds
from natadv.backdoors.inspect.verdict import inspect_model, judge
from natadv.errors import ConfigError, DataError
from natadv.training.pictures import Pictures
from tests.backdoored import CLASSES

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def scores(backdoored):
    return score_model(backdoored.model, backdoored.data, backdoored.clean, CLASSES, device=CPU)


def by_hand(limit):
    none = Measured(detected=9, named=9, poisoned=10, false_alarms=1, clean=10)
    rule = {"tuned": none, "measured": none, "by_trigger": {}}
    return Thresholds(
        setting="by hand",
        model="natadv_slim",
        size_px=32,
        classes=12,
        tuning=(0, 1),
        measuring=(2, 3),
        with_clean=Rule(
            thresholds={OPINION: limit, STRIP: 2.0},
            means={OPINION: 0.0, STRIP: 2.0},
            deviations={OPINION: 1.0, STRIP: 1.0},
            limit=limit,
            by_method={OPINION: none, STRIP: none},
            **rule,
        ),
        without_clean=Rule(
            thresholds={CLUSTERS: 2.0, SPECTRUM: 2.0},
            means={CLUSTERS: 2.0, SPECTRUM: 2.0},
            deviations={CLUSTERS: 1.0, SPECTRUM: 1.0},
            limit=limit,
            by_method={CLUSTERS: none, SPECTRUM: none},
            **rule,
        ),
    )


@pytest.mark.parametrize(
    ("opinion", "rain", "spectrum", "most", "named"),
    [
        ((3.4, 4), (0.05, 2), (0.5, 2), 2.0, None),  # one method alone is two deviations beyond
        ((3.4, 4), (0.07, 4), (0.5, 2), 4.0, 4),  # two agree, two deviations each
        ((3.4, 4), (0.07, 2), (0.5, 1), 2.0, None),  # two do not
        ((3.2, 4), (0.45, 2), (0.6, 2), 41.0, 2),  # a hair of one class, a mile of another
        ((2.0, 4), (0.09, 4), (0.5, 4), 4.0, 4),  # what is below the mean takes nothing away
        ((math.nan, None), (0.09, 4), (0.5, 4), 4.0, 4),
        ((math.nan, None), (math.nan, None), (math.nan, None), 0.0, None),
    ],
)
def test_what_methods_say_of_a_class_is_added_up(opinion, rain, spectrum, most, named):
    decision = Decision(
        means={OPINION: 3.0, RAIN: 0.05, SPECTRUM: 0.5}, deviations={OPINION: 0.2, RAIN: 0.01, SPECTRUM: 0.1}, limit=3.5
    )
    said = {OPINION: opinion, RAIN: rain, SPECTRUM: spectrum}
    heard = {name: one[0] for name, one in said.items()}, {name: one[1] for name, one in said.items()}
    assert decision.weighed(*heard)[0] == pytest.approx(most)
    assert decision.named(*heard) == named


def test_the_shipped_calibration_finds_a_backdoor_among_half_as_many_classes(backdoored):
    verdict = inspect_model(backdoored.model, backdoored.data, backdoored.clean, device=CPU)
    assert read_thresholds().classes != CLASSES
    assert verdict.suspicious
    assert verdict.target == backdoored.poisoning.target


def test_the_verdict_names_the_target_and_shows_evidence_and_errors(backdoored):
    verdict = inspect_model(backdoored.model, backdoored.data, backdoored.clean, device=CPU, thresholds=by_hand(0.58))
    assert verdict.suspicious
    assert verdict.target == backdoored.poisoning.target
    assert np.isin(verdict.suspected, backdoored.poisoned).mean() > 0.9
    assert [one.method for one in verdict.evidence] == [OPINION, STRIP]
    assert verdict.evidence[0].exceeded
    assert verdict.together.startswith(f"together, which decides: class {verdict.target}: ")
    assert not verdict.evidence[1].exceeded
    assert f"class {verdict.target}" in verdict.evidence[0].words
    assert "Grad-CAM" in (verdict.region or "")
    assert "90.0 % (9/10" in verdict.errors_in_words
    assert "10.0 % (1/10" in verdict.errors_in_words
    assert "by hand" in verdict.errors_in_words


def test_too_few_clean_pictures_are_said_beside_the_error_rates(backdoored):
    usual = by_hand(0.58).model_copy(update={"clean_per_class": 8})
    whole = inspect_model(backdoored.model, backdoored.data, backdoored.clean, device=CPU, thresholds=usual)
    assert whole.reservation is None
    kept = np.flatnonzero(backdoored.clean.targets > 1)
    some = backdoored.clean.subset(np.append(kept, np.flatnonzero(backdoored.clean.targets == 0)[:3]))
    few = inspect_model(backdoored.model, backdoored.data, some, device=CPU, thresholds=usual)
    assert few.reservation == "2 of 6 classes have less than half of the 8 clean pictures that it was measured with"
    assert few.errors_in_words.endswith(f"BUT {few.reservation}")


def test_inputs_with_a_patch_are_screened_out_and_clean_ones_seldom(backdoored):
    shown = [
        number
        for number in range(len(backdoored.test))
        if backdoored.test.targets[number] != backdoored.poisoning.target
    ][:40]
    patched = np.stack([backdoored.poisoning.triggered(backdoored.test.images[number], number) for number in shown])
    found = screen(backdoored.model.to(CPU), patched, backdoored.clean, false_rejection=0.1, device=CPU)
    assert found.suspected.mean() > found.clean.value + 0.3
    again = screen(backdoored.model, patched, backdoored.clean, false_rejection=0.1, device=CPU)
    assert (again.entropies == found.entropies).all()
    one = replace(backdoored.clean, kin=("the same",) * len(backdoored.clean))
    with pytest.raises(DataError, match="of 1 things are too few to screen by"):
        screen(backdoored.model, patched, one, device=CPU)


def test_below_the_threshold_nothing_is_suspected(backdoored, scores):
    quiet = judge(scores, by_hand(9.0).with_clean, "by hand")
    assert not quiet.suspicious
    assert quiet.target is None
    assert not len(quiet.suspected)
    blind = inspect_model(backdoored.model, backdoored.data, None, device=CPU, thresholds=by_hand(0.58))
    assert [one.method for one in blind.evidence] == [CLUSTERS, SPECTRUM]
    assert not blind.suspicious


def test_data_that_cannot_be_inspected_are_refused(backdoored):
    def inspected(data):
        return inspect_model(backdoored.model, data, None, device=CPU, thresholds=by_hand(0.58))

    data = backdoored.data
    with pytest.raises(DataError, match="no training data"):
        inspected(Pictures(data.images[:0], data.targets[:0]))
    with pytest.raises(DataError, match="too few"):
        inspected(Pictures(data.images[:2], data.targets[:2]))
    with pytest.raises(DataError, match="the model has 6 classes"):
        inspected(Pictures(data.images[:20], np.full(20, 6)))


def test_the_calibration_that_is_shipped_was_measured_on_models_it_was_not_tuned_on(tmp_path):
    shipped = read_thresholds()
    assert not set(shipped.tuning) & set(shipped.measuring)
    for rule in (shipped.with_clean, shipped.without_clean):
        assert rule.measured.poisoned + rule.measured.clean == len(shipped.measuring) >= 20
        assert rule.tuned.poisoned + rule.tuned.clean == len(shipped.tuning)
        assert sum(one.poisoned for one in rule.by_trigger.values()) == rule.measured.poisoned
        assert set(rule.means) == set(rule.deviations) == set(rule.thresholds) == set(rule.by_method)
    (tmp_path / "torn.json").write_text("{")
    with pytest.raises(DataError, match=r"torn\.json: no calibration"):
        read_thresholds(tmp_path / "torn.json")


def test_without_grad_cam_it_does_not_begin(backdoored, monkeypatch):
    """The maps come last, after minutes; what they lack is said first."""
    monkeypatch.setitem(sys.modules, "pytorch_grad_cam", None)
    monkeypatch.setattr("natadv.backdoors.inspect.scores.penultimate", lambda *_: pytest.fail("it began"))
    with pytest.raises(ConfigError, match=r"pip install '\.\[papers\]'"):
        score_model(backdoored.model, backdoored.data, backdoored.clean, CLASSES, device=CPU)


def test_a_model_that_has_hardly_learnt_is_said_to_be_unlike_those_measured(backdoored):
    usual = by_hand(0.58).model_copy(update={"least_accuracy": 0.4})
    reservations = [
        inspect_model(model, backdoored.data, backdoored.clean, device=CPU, thresholds=usual).reservation
        for model in (backdoored.model, unlearnt(backdoored.model))
    ]
    assert reservations[0] is None
    assert re.fullmatch(
        r"the model is right of \d+ % of the clean pictures, and those that it was measured with of 40 % at least",
        reservations[1],
    )


def unlearnt(model):
    """Return a copy that says one class of everything."""
    blind = copy.deepcopy(model)
    last = [one for one in blind.modules() if isinstance(one, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.weight.mul_(1e-3)
        last.bias.copy_(torch.arange(len(last.bias), dtype=torch.float32))
    return blind
