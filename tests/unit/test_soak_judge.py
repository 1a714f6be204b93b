"""A soak is judged by whole cycles of the camera's frame sizes, and by the longest time without a prediction."""

import time

import numpy as np
import pytest

from benchmarks import soak
from benchmarks.soak_judge import AFTER_S, Asked, Sample, cycle_means, cycle_s, judge, longest_gap_s

EVERY_S = 60.0
CYCLE_S = 900.0


def sample(at_s: float, rss_mb: float) -> Sample:
    return Sample(at_s, rss_mb, 15, 13, int(50 * at_s), 0, 0, 0, 0, ready=True, fault="", model=0)


def saw_tooth(leak_mb_per_h: float = 0.0, minutes: float = 62.0) -> list[Sample]:
    """Memory that follows a cycle of 15 minutes, after a first one that warms up."""
    times = np.arange(0, 60 * minutes, 5.0)
    return [
        sample(at_s, 1000 + 400 * (at_s % CYCLE_S) / CYCLE_S + leak_mb_per_h * at_s / 3600 - 500 * (at_s < CYCLE_S))
        for at_s in times
    ]


def steady(minutes: float = 62.0) -> np.ndarray:
    return np.arange(0, 60 * minutes, 0.02)


def test_a_cycle_of_frame_sizes_is_no_slope_and_a_leak_is() -> None:
    assert cycle_s(EVERY_S) == CYCLE_S
    for leak in (0.0, 50.0):
        figures = judge(saw_tooth(leak), steady(), [], ahead_s=3.0, every_s=EVERY_S)
        assert figures["rss_mb_slope_of_means_per_hour"] == pytest.approx(leak, abs=1)
        assert len(figures["rss_mb_means_of_whole_cycles"]) == 3
        assert figures["rss_mb_spread_of_means"] == pytest.approx(leak / 2, abs=1)
    short = judge(saw_tooth(minutes=20), steady(20), [], ahead_s=3.0, every_s=EVERY_S)
    assert short["rss_mb_slope_of_means_per_hour"] is None
    assert cycle_means(saw_tooth(minutes=60), CYCLE_S)[-1][0] == pytest.approx(3150)


def test_a_gap_is_the_longest_that_reaches_into_a_time() -> None:
    predicted_s = np.array([1.0, 2.0, 5.0, 6.0, 10.0])
    assert longest_gap_s(predicted_s, 5.5, 5.6) == 1.0
    assert longest_gap_s(predicted_s, 4.0, 5.5) == 3.0
    assert longest_gap_s(predicted_s, 5.5, 7.0) == 4.0
    assert longest_gap_s(predicted_s, 9.0, 30.0) == 20.0  # it lasts until then at least
    assert longest_gap_s(predicted_s[:0], 1.0, 3.0) == 2.0


def test_a_swap_is_told_with_its_gap_and_the_fault_that_it_fell_into() -> None:
    # With the camera's clock 10 s ahead, its second fault, a stall of 12 s, is from 110 s to 122 s.
    predicted_s = np.concatenate((np.arange(0, 110, 0.02), np.arange(125, 3000, 0.02)))
    predicted_s = predicted_s[(predicted_s < 1000.0) | (predicted_s > 1000.7)]
    swaps = [Asked(30.0, 31.5), Asked(110.5, 112.0), Asked(999.0, 999.5), Asked(2000.0, None)]
    figures = judge(saw_tooth(minutes=50), predicted_s, swaps, ahead_s=10.0, every_s=EVERY_S)
    assert [one["fault"] for one in figures["swaps"]] == [None, "stall", None, None]
    assert [one["longest_gap_s"] for one in figures["swaps"]] == pytest.approx([0.02, 15.0, 0.7, 0.02], abs=0.05)
    assert [one["took_s"] for one in figures["swaps"]] == [1.5, 1.5, 0.5, None]
    assert (figures["swaps_asked"], figures["swaps_done"]) == (4, 3)
    assert figures["longest_gap_s_around_a_swap_without_a_fault"] == pytest.approx(0.7, abs=0.05)
    assert figures["by_fault"]["stall"]["recovered_s_with_a_swap"] == pytest.approx([3.0], abs=0.05)
    assert figures["faults_not_recovered_from"] == 0


def test_a_camera_that_is_not_found_again_is_counted() -> None:
    predicted_s = np.concatenate((np.arange(0, 50, 0.02), np.arange(55 + AFTER_S + 1, 3000, 0.02)))
    figures = judge(saw_tooth(minutes=50), predicted_s, [], ahead_s=10.0, every_s=EVERY_S)
    assert figures["faults_not_recovered_from"] == 1


def test_the_cameras_clock_is_placed_by_when_it_answered_not_by_when_it_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = iter([100.0, 112.0])  # twelve seconds until it answers
    monkeypatch.setattr(soak, "_wait_for", lambda address: (next(now_s), b"11.5")[1])
    monkeypatch.setattr(time, "monotonic", lambda: next(now_s))
    assert soak.clock_began_s("http://127.0.0.1:1/clock") == 100.5
