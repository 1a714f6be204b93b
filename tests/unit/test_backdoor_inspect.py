"""Inspection of a model that really is backdoored, each method by itself, and the verdict with its error rates."""

import copy
import math
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from natadv.backdoors.inspect.activation_clustering import cluster_class, silhouette_of, two_means
from natadv.backdoors.inspect.activations import penultimate
from natadv.backdoors.inspect.rain_response import rain_response
from natadv.backdoors.inspect.region import compare_regions, saliency
from natadv.backdoors.inspect.scores import CLUSTERS, OPINION, RAIN, SPECTRUM, STRIP, foreign_part, score_model
from natadv.backdoors.inspect.screen import screen
from natadv.backdoors.inspect.second_opinion import diversity, second_opinion
from natadv.backdoors.inspect.spectral_signatures import spectrum_of_class
from natadv.backdoors.inspect.strip import blended_entropy, threshold_of
from natadv.backdoors.inspect.thresholds import Decision, Measured, Rule, Thresholds, read_thresholds
from natadv.backdoors.inspect.verdict import inspect_model, judge
from natadv.backdoors.measure import predictions
from natadv.backdoors.poison import triggered_test
from natadv.batches import to_batch
from natadv.errors import ConfigError, DataError
from natadv.training.evaluate import accuracy
from natadv.training.pictures import Pictures
from tests.backdoored import CLASSES

CPU = torch.device("cpu")


def chance(seed=0):
    return np.random.default_rng(seed)


def ranked(scores, marked):
    """Return the area under the curve: how often a marked one scores higher than another."""
    return float((scores[marked][:, None] > scores[~marked][None]).mean())


@pytest.fixture(scope="module")
def target(backdoored):
    """Which of the data carry the target's label, and which of these are poisoned."""
    mine = np.flatnonzero(backdoored.data.targets == backdoored.poisoning.target)
    return mine, np.isin(mine, backdoored.poisoned)


@pytest.fixture(scope="module")
def features(backdoored, target):
    return penultimate(backdoored.model, backdoored.data.images[target[0]], CPU)


@pytest.fixture(scope="module")
def scores(backdoored):
    return score_model(backdoored.model, backdoored.data, backdoored.clean, CLASSES, device=CPU)


def test_the_features_are_what_the_last_layer_sees(backdoored):
    images = backdoored.test.images[:5]
    head = backdoored.model.backbone.head
    seen = torch.from_numpy(penultimate(backdoored.model.train(), images, CPU, batch_size=2))
    assert backdoored.model.training
    backdoored.model.eval()
    with torch.no_grad():
        assert torch.allclose(head(seen), backdoored.model(to_batch(images, CPU)), atol=1e-5)
    assert not head._forward_pre_hooks
    with pytest.raises(ValueError, match="no linear layer"):
        penultimate(nn.Flatten(), images, CPU)
    with pytest.raises(ValueError, match="at least one image"):
        penultimate(backdoored.model, images[:0], CPU)


def test_two_means_part_two_clouds_and_the_silhouette_says_how_well():
    cloud = chance().normal(size=(60, 4)).astype(np.float32)
    apart = cloud + np.where(np.arange(60) < 20, 30, 0)[:, None].astype(np.float32)
    second = two_means(apart, chance(1))
    assert second[:20].all() != second[20:].all()
    assert len(set(second[:20])) == len(set(second[20:])) == 1
    assert silhouette_of(apart, second) > 0.7
    assert silhouette_of(cloud, two_means(cloud, chance(1))) < 0.5
    # On a line, mean distances to one's own and to the other cluster by hand.
    line = np.array([[0.0], [1], [5], [7]], np.float32)
    own, other = np.array([1, 1, 2, 2]), np.array([6, 5, 4.5, 6.5])
    assert silhouette_of(line, np.array([0, 0, 1, 1], bool)) == pytest.approx(np.mean((other - own) / other))
    assert np.isnan(silhouette_of(line, np.zeros(4, bool)))


def test_the_smaller_cluster_is_named_and_too_few_say_nothing():
    points = np.concatenate([np.zeros((10, 3)), np.ones((4, 3))]).astype(np.float32)
    points += 0.01 * chance().normal(size=points.shape).astype(np.float32)
    clusters = cluster_class(points, chance())
    assert clusters.smaller.tolist() == [False] * 10 + [True] * 4
    assert clusters.share == pytest.approx(4 / 14)
    assert np.isnan(cluster_class(points[:3], chance()).silhouette)
    assert np.isnan(cluster_class(np.ones((9, 3), np.float32), chance()).silhouette)


def test_the_poisoned_pictures_of_the_target_are_a_cluster(features, target):
    smaller = cluster_class(features, chance()).smaller
    foreign = max(smaller, ~smaller, key=lambda part: target[1][part].mean())
    assert target[1][foreign].mean() > 0.95
    assert foreign[target[1]].mean() > 0.6


def test_spectral_scores_rank_poison_above_the_rest_where_clean_pictures_are_known(backdoored, features, target):
    mine = backdoored.clean.targets == backdoored.poisoning.target
    known = penultimate(backdoored.model, backdoored.clean.images[mine], CPU)
    found = spectrum_of_class(features, known)
    assert ranked(found.scores, target[1]) > 0.9
    removed = found.suspected(float(target[1].mean()) / 2)
    assert removed.sum() == int(np.ceil(0.75 * target[1].mean() * len(removed)))
    assert target[1][removed].mean() > 0.9


def test_a_spectrum_is_as_the_paper_defines_it():
    points = chance().normal(size=(50, 6)).astype(np.float32) * np.array([9, 1, 1, 1, 1, 1], np.float32)
    found = spectrum_of_class(points, None)
    centred = points - points.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    assert found.scores == pytest.approx((centred @ vectors[:, -1]) ** 2, rel=1e-3, abs=1e-3)
    assert found.dominance == pytest.approx(values[-1] / values.sum(), rel=1e-4)
    assert np.isnan(found.shift)
    assert np.isnan(spectrum_of_class(points[:2], None).dominance)
    assert found.suspected(0.1).sum() == 8  # 1.5 x 0.1 x 50, rounded up


def test_the_entropy_under_blending_is_lower_with_the_trigger(backdoored):
    others = triggered_test(backdoored.test, backdoored.poisoning).images
    plain = backdoored.test.images[backdoored.test.targets != backdoored.poisoning.target]
    low, high = (
        blended_entropy(backdoored.model, some, backdoored.clean.images, chance(), device=CPU)
        for some in (others, plain)
    )
    assert low.mean() < 0.5 * high.mean()
    limit = threshold_of(high, 0.1)
    assert (high < limit).mean() == pytest.approx(0.1, abs=0.02)
    assert (low < limit).mean() > 0.4


class Uniform(nn.Module):
    """Knows nothing of four classes."""

    def forward(self, batch):
        return torch.zeros(len(batch), 4)


def test_who_knows_nothing_has_two_bits_of_four_classes():
    images = np.zeros((3, 8, 8, 3), np.uint8)
    assert blended_entropy(Uniform(), images, images, chance(), device=CPU) == pytest.approx(2.0)
    with pytest.raises(ValueError, match="a clean image and a blend"):
        blended_entropy(Uniform(), images, images[:0], chance(), device=CPU)
    with pytest.raises(ValueError, match="a share in"):
        threshold_of(np.ones(3), 0.0)


def test_maps_alike_in_place_are_told_from_maps_that_are_not():
    spot = np.zeros((12, 16, 16), np.float32)
    spot[:, 12:, 12:] = 1
    spot += 0.05 * chance().random(spot.shape, np.float32)
    wild = np.stack([np.roll(one, tuple(chance(n).integers(16, size=2)), (0, 1)) for n, one in enumerate(spot)])
    found = compare_regions(spot, wild, chance())
    assert found.likeness > 0.9
    assert found.reference < 0.5
    assert found.p_value == 1 / 200
    assert found.concentration > compare_regions(np.ones_like(spot), wild, chance()).concentration
    assert compare_regions(wild[:6], wild[6:], chance()).p_value > 0.05
    with pytest.raises(ValueError, match="two maps of each"):
        compare_regions(spot[:1], wild, chance())


@pytest.mark.parametrize("method", ["grad-cam", "grad-cam++"])
def test_a_patch_in_the_corner_draws_the_map_of_its_class_there(backdoored, method):
    shown = triggered_test(backdoored.test, backdoored.poisoning)
    hit = predictions(backdoored.model, shown.images, CPU) == backdoored.poisoning.target
    images = shown.images[hit][:24]
    classes = np.full(len(images), backdoored.poisoning.target)
    maps = saliency(backdoored.model, images, classes, device=CPU, method=method)
    assert maps.shape == (len(images), 32, 32)
    mean = maps.mean(0)
    assert mean[24:, 24:].mean() > 1.5 * mean.mean()


def test_the_second_opinion_has_learnt_and_finds_poison_diverse(backdoored, target):
    model = second_opinion(backdoored.clean, CLASSES, seed=0, device=CPU)
    assert accuracy(model, backdoored.test, CPU).value > 0.6
    answers = predictions(model, backdoored.data.images[target[0]], CPU)
    assert diversity(answers[target[1]], CLASSES) > 0.4 + diversity(answers[~target[1]], CLASSES)
    with pytest.raises(ValueError, match="two clean pictures"):
        second_opinion(Pictures(backdoored.clean.images[:1], np.zeros(1, np.int64)), 2, seed=0, device=CPU)


def test_diversity_is_an_entropy_in_bits():
    assert diversity(np.zeros(40, np.int64), 4) == 0
    assert diversity(np.zeros(0, np.int64), 4) == 0
    assert diversity(np.tile(np.arange(4), 1000), 16) == pytest.approx(0.5, abs=1e-3)  # 2 bits of 4
    assert diversity(np.tile(np.arange(4), 1000), 4) == pytest.approx(1, abs=1e-3)


class Drenched(nn.Module):
    """Class 0 is red and 2 is blue; a picture whose places differ is of class 1, or with `blind` as if they did not."""

    def __init__(self, *, blind):
        super().__init__()
        self.blind = blind

    def forward(self, batch):
        red, blue = batch[:, 0].mean((1, 2)), batch[:, 2].mean((1, 2))
        uneven = 0 * red if self.blind else 1000 * (batch.std((2, 3)).amax(1) > 0.002)
        return torch.stack([red, uneven, blue], 1)


def test_rain_draws_pictures_to_the_class_that_learnt_drops():
    images = np.zeros((24, 32, 32, 3), np.uint8)
    images[:12, ..., 0] = images[12:, ..., 2] = 200
    images[0, :5, :5] = 0  # is taken for class 1 though it is dry
    clean = Pictures(images, np.repeat([0, 2], 12))
    found = rain_response(Drenched(blind=False), clean, 3, device=CPU, seed=0)
    assert found[1] == pytest.approx(23 / 24, abs=0.2)  # a drop lies before nearly every picture, and one counts dry
    assert found[1] <= 23 / 24
    assert found[0] == found[2] == 0
    assert not rain_response(Drenched(blind=True), clean, 3, device=CPU, seed=0).any()
    assert np.isnan(rain_response(Drenched(blind=True), Pictures(images[:1], np.array([0])), 1, device=CPU, seed=0)[0])
    with pytest.raises(ValueError, match="at least one clean picture"):
        rain_response(Drenched(blind=True), Pictures(images[:0], clean.targets[:0]), 3, device=CPU, seed=0)


def test_the_foreign_part_is_what_two_of_three_votes_say():
    chance = np.random.default_rng(0)
    clean = chance.normal(0, 1, (6, 4)).astype(np.float32)
    features = np.concatenate([chance.normal(0, 1, (8, 4)), chance.normal(3, 1, (20, 4))]).astype(np.float32)
    parts = [np.arange(8), np.arange(8, 28)]  # the second is far from what is clean
    hit, none = np.r_[np.full(8, 2), np.full(20, 1)], np.r_[np.full(8, 1), np.full(20, 2)]

    def chosen(clean, answers, opinions, of=parts):
        return next(n for n in (0, 1) if foreign_part(of, 2, features, clean, answers, opinions) is of[n])

    assert chosen(clean, hit, [0.9, 0.1]) == 1  # opinions alone are against it
    assert chosen(clean, none, [0.1, 0.9]) == 1
    assert chosen(clean, none, [0.9, 0.1]) == 0  # the distance alone is for it
    assert chosen(clean[:0], none, [0.1, 0.9]) == 1  # without clean pictures, opinions decide
    assert chosen(clean[:0], hit, [0.9, 0.1]) == 0
    few = [np.arange(24), np.arange(24, 28)]  # four of the far ones say nothing
    assert chosen(clean, hit, [0.1, -np.inf], few) == 0
    tiny = [np.arange(3), np.arange(8, 12)]
    assert not len(foreign_part(tiny, 2, features, clean, hit, [-np.inf, -np.inf]))


def test_the_target_stands_out_by_the_second_opinion_and_its_foreign_cluster_is_poison(backdoored, scores):
    worst = int(np.nanargmax(scores.by_method[OPINION]))
    assert worst == backdoored.poisoning.target == scores.region_class
    foreign = scores.foreign[worst]
    assert np.isin(foreign, backdoored.poisoned).mean() > 0.9
    assert np.isin(backdoored.poisoned, foreign).mean() > 0.6
    assert int(np.nanargmax(scores.by_method[STRIP])) == worst
    assert scores.region is not None


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
