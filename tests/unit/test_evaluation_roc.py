"""ROC curves whose areas, points and intervals are known."""

import numpy as np
import pytest

from natadv.evaluation.roc import area_under_curve, curve_measures, roc_points


def test_the_area_under_the_curve():
    low, high = np.array([0.0, 1.0, 2.0]), np.array([3.0, 4.0])
    assert area_under_curve(low, high)[0] == 1
    assert area_under_curve(high, low)[0] == 0
    assert area_under_curve(low, low)[0] == 0.5
    area, below, above = area_under_curve(np.arange(100.0), np.arange(100.0) + 20)
    assert below < area < above
    assert area == pytest.approx(0.68)  # 1 - 80 * 81 / 2 of 100 * 100, half of the ties counted
    with pytest.raises(ValueError, match="got 3 and 0"):
        area_under_curve(low, np.zeros(0))


def test_the_points_run_from_none_to_all_and_hold_the_area():
    rng = np.random.default_rng(0)
    clean, suspect = rng.normal(0, 1, 200), rng.normal(1, 1, 150)
    false, true = roc_points(clean, suspect)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(true, false) == pytest.approx(area_under_curve(clean, suspect)[0])


def names(prefix, count):
    return [f"{prefix}{number}" for number in range(count)]


def test_the_share_called_is_that_above_the_threshold_of_the_clean_images():
    clean, suspect = np.arange(100.0), np.array([97.5, 98.5, 99.5, 50.0])
    measures = [
        curve_measures(
            clean, suspect, names("c", 100), names("s", 4), false_alarms=share, rng=np.random.default_rng(0)
        )[1].value
        for share in (0.005, 0.01, 0.02)
    ]
    assert measures == [0.25, 0.5, 0.75]


def test_intervals_cover_what_is_true_as_often_as_they_say():
    """Two normals a deviation apart have an area of 0.760; 60 experiments of 80 images each."""
    rng, covered = np.random.default_rng(1), 0
    for _ in range(60):
        clean, suspect = rng.normal(0, 1, 80), rng.normal(1, 1, 80)
        area, _ = curve_measures(
            clean, suspect, names("c", 80), names("s", 80), false_alarms=0.1, rng=rng, replicates=200
        )
        covered += area.low <= 0.7602 <= area.high
    assert covered >= 51


def test_images_of_one_source_are_no_more_than_one():
    """Each source ten times over: the interval is that of the sources, not of ten times as many images."""
    rng = np.random.default_rng(2)
    clean, suspect, sources = rng.normal(0, 1, 30), rng.normal(1, 1, 30), names("s", 30)
    settings = {"false_alarms": 0.1, "replicates": 400}
    once, _ = curve_measures(clean, suspect, sources, sources, rng=np.random.default_rng(3), **settings)
    tenfold, _ = curve_measures(
        np.repeat(clean, 10), np.repeat(suspect, 10), list(np.repeat(sources, 10)), list(np.repeat(sources, 10)),
        rng=np.random.default_rng(3), **settings,
    )  # fmt: skip
    assert (tenfold.value, tenfold.low, tenfold.high) == pytest.approx((once.value, once.low, once.high))
    with pytest.raises(ValueError, match="a source for each"):
        curve_measures(clean, suspect, sources[1:], sources, rng=rng, **settings)
