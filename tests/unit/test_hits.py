import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.hits import HitPictures, control_is_right, hit_frames
from natadv.evaluation.rates import Rate, clustered_interval
from rigs.geometry import ScreenGeometry


def test_one_wrong_frame_of_the_control_and_the_drops_are_not_to_blame():
    assert control_is_right(np.array([3, 3, 3]), 3)
    assert not control_is_right(np.array([3, 2, 3]), 3)
    assert not control_is_right(np.array([], int), 3)
    assert hit_frames(np.array([3, 2, 3]), 3, True).tolist() == [False, True, False]
    assert not hit_frames(np.array([1, 2, 1]), 3, False).any()


def _offered(confidences, limit):
    pictures = HitPictures(limit)
    for frame, confidence in enumerate(confidences):
        pictures.offer(frame, confidence, lambda frame=frame: np.full((1, 1, 3), frame % 256, np.uint8))
    return pictures.chosen()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=300), st.integers(2, 12))
def test_kept_hits_are_few_and_hold_the_first_and_the_most_confident(confidences, limit):
    kept = _offered(confidences, limit)
    assert len(kept) == min(limit, len(confidences))
    assert {0, int(np.argmax(confidences))} <= set(kept)
    assert list(kept) == sorted(kept)
    assert all((image == frame % 256).all() for frame, image in kept.items())


def test_kept_hits_are_spread_evenly():
    kept = list(_offered([0.9] + 149 * [0.5], 10))
    gaps = np.diff(kept)
    assert kept[0] == 0
    assert kept[-1] > 130
    assert gaps.max() <= 2 * np.median(gaps)


def test_hits_are_stored_as_finely_as_the_camera_saw_them():
    small = ScreenGeometry(((-0.5, -0.5), (79.5, -0.5), (79.5, 59.5), (-0.5, 59.5)))
    large = ScreenGeometry(((0, 0), (1000, 0), (1000, 500), (0, 500)))
    assert small.picture_size == (60, 80)
    assert large.picture_size == (128, 256)


def test_frames_that_all_agree_within_a_clip_count_as_one_each():
    assert clustered_interval([10, 0, 10, 0], [10] * 4) == pytest.approx(Rate(2, 4).interval, rel=0.2)


def test_frames_that_vary_within_clips_as_between_them_count_singly():
    assert clustered_interval([5, 5, 5, 5], [10] * 4) == pytest.approx(Rate(2, 4).interval)  # nothing varies: 4
    rng = np.random.default_rng(0)
    hits = rng.binomial(50, 0.3, 400).tolist()
    assert clustered_interval(hits, [50] * 400) == pytest.approx(Rate(sum(hits), 20000).interval, abs=0.002)


def test_nothing_counted_says_nothing():
    ends = [clustered_interval([6] * whole + [0] * (100 - whole), [6] * 100)[1] for whole in range(4)]
    assert ends == sorted(ends)  # a hit more is no proof of less
    one = clustered_interval([1] + [0] * 99, [6] * 100)
    assert one[1] > clustered_interval([0] * 100, [6] * 100)[1]
    assert clustered_interval([], []) == (0.0, 1.0)
    assert clustered_interval([0], [0]) == (0.0, 1.0)


def test_a_rate_of_nothing_is_unknown():
    assert str(Rate(0, 0)) == "unknown (0/0)"
