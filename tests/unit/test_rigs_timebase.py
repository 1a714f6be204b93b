"""A device's clock and counter, told in ours."""

import numpy as np
import pytest

from rigs.camera.timebase import DeviceClock, FrameCounter


def test_a_frame_that_was_held_up_is_known_to_be_old() -> None:
    clock = DeviceClock()
    assert clock.at(0.0, 100.30) == 100.30  # the first was held up too, as nobody can know yet
    assert clock.at(0.1, 100.20) == pytest.approx(100.20)
    assert clock.at(0.2, 100.30) == pytest.approx(100.30)
    assert clock.at(0.3, 101.40) == pytest.approx(100.40, abs=2e-3)
    assert clock.at(0.4, 101.41) == pytest.approx(100.50, abs=2e-3)


def test_a_stream_whose_clock_is_slow_is_followed() -> None:
    clock = DeviceClock()
    ages = [100 + 1.0005 * second - clock.at(float(second), 100 + 1.0005 * second) for second in range(10_000)]
    assert max(ages) < 1e-2


@pytest.mark.parametrize("drift", [-2e-4, 0.0, 5e-5, 2e-4])
def test_jitter_and_drift_are_told_from_delay(drift: float) -> None:
    """Delays of 5 ms and a random rest of 8 ms on average, once a second 80 ms; five minutes at 30 frames a second."""
    generator = np.random.default_rng(3)
    clock = DeviceClock()
    errors = []
    for number in range(9000):
        device_s = number / 30
        true_s = 1000 + device_s * (1 + drift)
        delay_s = 0.005 + generator.exponential(0.008) + (0.08 if number % 30 == 7 else 0)
        errors.append(clock.at(device_s, true_s + delay_s) - (true_s + 0.005))
    settled = np.abs(errors[600:])
    assert settled.max() < 1.5e-3
    assert np.median(settled) < 3e-4


def test_no_time_is_later_than_its_arrival() -> None:
    generator = np.random.default_rng(4)
    clock = DeviceClock()
    for number in range(3000):
        now_s = number / 30 * 0.9999 + generator.exponential(0.004)
        assert clock.at(number / 30, now_s) <= now_s + 1e-12


@pytest.mark.parametrize(
    ("counter", "shown", "expected"),
    [
        (FrameCounter(), [7, 8, 11], [0, 1, 4]),
        (FrameCounter(first=1, last=65535), [65533, 65535, 1, 4], [0, 2, 3, 6]),
        (FrameCounter(last=2**32 - 1), [2**32 - 2, 1], [0, 3]),
    ],
)
def test_counts_rise_for_ever_and_keep_their_gaps(counter: FrameCounter, shown: list[int], expected: list[int]) -> None:
    assert [counter.index(count) for count in shown] == expected


@pytest.mark.parametrize(
    ("counter", "shown"),
    [(FrameCounter(), [5, 5]), (FrameCounter(), [5, 0]), (FrameCounter(first=1, last=65535), [100, 90])],
)
def test_a_count_that_stands_still_or_goes_back_is_an_error(counter: FrameCounter, shown: list[int]) -> None:
    counter.index(shown[0])
    with pytest.raises(ValueError, match=f"counts {shown[1]} after {shown[0]}"):
        counter.index(shown[1])
