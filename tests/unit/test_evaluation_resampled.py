"""Bootstrap replicates that several numbers share: what they have in common cancels."""

import numpy as np
import pytest

from natadv.errors import DataError
from natadv.evaluation.resampled import KinBootstrap, Resampled, least_of, mean_of
from natadv.evaluation.roc import area_under_curve, curve_measures


def drawn(count=60, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, count), rng.normal(1, 1, count), [f"k{number // 3}" for number in range(count)]


def test_the_area_is_that_of_all_images_and_its_interval_that_of_kin():
    clean, suspect, kin = drawn()
    found = KinBootstrap(kin, seed=0).area(clean, kin, suspect, kin)
    assert found.value == pytest.approx(area_under_curve(clean, suspect)[0])
    known, _ = curve_measures(clean, suspect, kin, kin, false_alarms=0.1, rng=np.random.default_rng(1))
    assert found.interval == pytest.approx((known.low, known.high), abs=0.02)
    names = [f"one{number}" for number in range(60)]
    tripled = KinBootstrap(kin, seed=0).area(*(np.repeat(part[::3], 3) if at % 2 == 0 else kin
                                               for at, part in enumerate((clean, kin, suspect, kin))))  # fmt: skip
    single = KinBootstrap(names[:20], seed=0).area(clean[::3], names[:20], suspect[::3], names[:20])
    assert np.ptp(tripled.interval) == pytest.approx(np.ptp(single.interval), rel=0.15)


def test_a_difference_keeps_what_both_have_in_common():
    clean, suspect, kin = drawn()
    draws = KinBootstrap(kin, seed=0)
    lower = draws.area(clean, kin, suspect, kin)
    higher = draws.area(clean, kin, suspect + 0.3, kin)
    assert (lower - lower).interval == (0, 0)
    low, high = (higher - lower).interval
    assert 0 < low < (higher - lower).value < high
    assert lower.interval[1] > higher.interval[0]  # alone, the two intervals would not tell


def test_a_mean_and_a_least_are_taken_in_each_replicate():
    one, other = Resampled(np.array([1.0, 2, 3])), Resampled(np.array([3.0, 0, 1]))
    assert mean_of([one, other]).values.tolist() == [2, 1, 2]
    assert least_of([one, other]).values.tolist() == [1, 0, 1]


def test_a_share_counts_each_image_as_often_as_its_kin_is_drawn():
    kin = ["a", "a", "a", "b"]
    found = KinBootstrap(kin, seed=0, replicates=200).share(np.array([True, True, True, False]), kin)
    assert found.value == 0.75
    assert set(np.round(found.values, 6).tolist()) == {0.75, 1.0, 0.0}


def test_too_few_kin_are_said():
    with pytest.raises(DataError, match="1 different images are too few"):
        KinBootstrap(["a", "b", "c"], seed=0).counts(["a", "a"])
