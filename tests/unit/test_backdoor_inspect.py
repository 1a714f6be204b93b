"""Inspection of a model that really is backdoored, each method by itself, and the verdict with its error rates."""

import numpy as np
import pytest
import torch
from torch import nn

from natadv.backdoors.inspect.activation_clustering import cluster_class, silhouette_of, two_means
from natadv.backdoors.inspect.activations import penultimate
from natadv.backdoors.inspect.rain_response import rain_response
from natadv.backdoors.inspect.region import compare_regions, saliency
from natadv.backdoors.inspect.scores import OPINION, STRIP, foreign_part, score_model
from natadv.backdoors.inspect.second_opinion import diversity, second_opinion
from natadv.backdoors.inspect.spectral_signatures import spectrum_of_class
from natadv.backdoors.inspect.strip import blended_entropy, threshold_of
from natadv.backdoors.measure import predictions
from natadv.backdoors.poison import triggered_test
from natadv.batches import to_batch
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
