"""A threshold that keeps its promise of false alarms, also where there are few images, or many of few things."""

import math

import numpy as np
import pytest

from natadv.detection.thresholds import least_kin, threshold_at
from natadv.errors import ConfigError


@pytest.mark.parametrize(("count", "share", "rank"), [(99, 0.01, 99), (199, 0.01, 198), (9, 0.1, 9), (100, 0.1, 91)])
@pytest.mark.parametrize("named", [False, True])
def test_the_rank_is_that_of_conformal_prediction_where_each_image_is_its_own_kin(count, share, rank, named):
    scores = np.random.default_rng(0).permutation(np.arange(1.0, count + 1))
    found = threshold_at(scores, share, [f"sign {number}" for number in range(count)] if named else None)
    assert found.value == rank
    assert (found.above.hits, found.above.total, found.kin) == (count - rank, count, count)


def test_the_next_image_is_above_it_as_often_as_promised_and_no_more():
    """Of 29 exponential scores at 10 %, 27 of 30: exactly 10 % on average, which the plain quantile would exceed."""
    rng = np.random.default_rng(1)
    above = [np.exp(-threshold_at(rng.exponential(size=29), 0.1).value) for _ in range(4000)]
    assert np.mean(above) == pytest.approx(0.1, abs=0.005)
    plain = [np.exp(-np.quantile(rng.exponential(size=29), 0.9)) for _ in range(4000)]
    assert np.mean(plain) > 0.11


def test_each_kin_weighs_alike_however_many_its_images_are():
    """Two kin at 40 % of three weights: 1.8 of them, all of one's half and more than half of the other's ten."""
    scores = np.array([1.0, *range(2, 12)])
    kin = ["one"] + ["ten"] * 10
    assert threshold_at(scores, 0.4, kin).value == 9  # 1 + 8/10
    assert threshold_at(-scores, 0.4, kin).value == -1  # the ten are 1, the other one is all the rest
    many = np.tile(np.arange(3.0), 7)  # sevenths and thirds do not sum up to whole numbers
    assert threshold_at(many, 0.125, [str(place // 3) for place in range(21)]).value == 2


def clustered(rng, kin):
    """Draw scores of kin that are alike: what it is shifts all of them, and what is most shifted has most images."""
    sizes = rng.choice((1, 8), kin, p=(0.7, 0.3))
    shifts = rng.normal(size=kin) + (sizes == 1)
    of_each = np.repeat(np.arange(kin), sizes)
    return shifts[of_each] + 0.1 * rng.normal(size=len(of_each)), of_each


def test_an_image_of_a_new_kin_is_above_it_no_more_often_than_promised():
    """Kin of few images score higher here; counted by images they are too few, and a rule of images breaks its word."""
    rng, share, apart, together = np.random.default_rng(2), 0.1, [], []
    new = rng.normal(size=200_000)
    new += rng.random(len(new)) < 0.7
    new = np.sort(new + 0.1 * rng.normal(size=len(new)))
    for _ in range(600):
        scores, kin = clustered(rng, 29)
        values = threshold_at(scores, share).value, threshold_at(scores, share, kin.astype(str).tolist()).value
        for value, found in zip(values, (apart, together), strict=True):
            found.append(1 - np.searchsorted(new, value) / len(new))
    assert np.mean(apart) > 0.15  # of images as if drawn one by one
    assert 0.05 < np.mean(together) <= share


def test_too_few_kin_promise_nothing_however_many_images_they_have():
    with pytest.raises(ConfigError, match=r"1 % cannot be promised by 98 clean images of 98 .* it takes 99 .* 0\.011"):
        threshold_at(np.zeros(98), 0.01)
    assert threshold_at(np.zeros(98), 0.011).value == 0
    kin = [f"sign {number % 18}" for number in range(600)]
    with pytest.raises(ConfigError, match=r"600 clean images of 18 sources: it takes 19 .*; wait, or .* 0\.053"):
        threshold_at(np.zeros(600), 0.05, kin, mend="wait")
    assert threshold_at(np.zeros(600), 0.053, kin).kin == 18
    with pytest.raises(ValueError, match="finite"):
        threshold_at(np.array([np.nan] * 200), 0.01)
    with pytest.raises(ValueError, match="kin of 3 images, got 2"):
        threshold_at(np.zeros(3), 0.5, ["a", "b"])
    with pytest.raises(ConfigError, match="0 clean images of 0 sources"):
        threshold_at(np.zeros(0), 0.5)


@pytest.mark.parametrize("share", [0.5, 0.3, 0.2, 0.1, 0.05, 0.01, 0.001])
def test_so_many_kin_as_are_said_to_be_enough_are_and_one_less_is_not(share):
    least = least_kin(share)
    assert math.isfinite(threshold_at(np.zeros(least), share).value)
    with pytest.raises(ConfigError):
        threshold_at(np.zeros(least - 1), share)
