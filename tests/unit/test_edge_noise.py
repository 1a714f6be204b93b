"""A randomised model's chance: evenly spread, never twice, replayed by its number."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from pydantic import ValidationError

from edge.manifest import PICK, SHIFT, RainNoise
from edge.noise import SEED_BYTES, NoiseStream, seed_from_hex
from natadv.errors import BundleError, ConfigError
from tests.tiny_bundle import write_tiny_bundle

NOISE = RainNoise(draws=1, pick=(1, 4, 3), reach=(1.6, 5.6))
SEED = bytes(range(SEED_BYTES))


def test_a_number_gives_the_same_noise_alone_or_among_others():
    stream = NoiseStream(NOISE, SEED)
    together = stream.at([7, 2, 900])
    for row, number in enumerate([7, 2, 900]):
        alone = NoiseStream(NOISE, SEED).at([number])
        np.testing.assert_array_equal(alone[PICK][0], together[PICK][row])
        np.testing.assert_array_equal(alone[SHIFT][0], together[SHIFT][row])


def test_the_order_in_which_numbers_are_asked_for_changes_nothing():
    stream, asked = NoiseStream(NOISE, SEED), [[5], [6, 7], [15], [16], [15, 16, 17], [900], [5, 5], [4, 3], [0, 1, 2]]
    for numbers in asked:
        found = stream.at(numbers)
        for row, number in enumerate(numbers):
            alone = NoiseStream(NOISE, SEED).at([number, 0, number])  # not one after the other, so not drawn ahead
            assert all(np.array_equal(found[name][row], alone[name][0]) for name in (PICK, SHIFT))
    assert stream.at([])[PICK].shape == (0, 1, 4, 3)


def test_threads_that_share_a_stream_get_each_number_once_and_its_own_noise():
    stream, alone = NoiseStream(NOISE, SEED), NoiseStream(NOISE, SEED)

    def draw(_):
        numbers = stream.fresh(2)
        return numbers, stream.at(numbers)

    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(draw, range(200)))
    assert sorted(number for numbers, _ in drawn for number in numbers) == list(range(400))
    expected = alone.at([399, *range(399)])
    for numbers, found in drawn:
        for row, number in enumerate(numbers):
            np.testing.assert_array_equal(found[PICK][row], expected[PICK][(number + 1) % 400])


def test_noise_is_the_callers_to_write_to():
    stream = NoiseStream(NOISE, SEED)
    before = stream.at([3])[PICK].copy()
    stream.at([3])[PICK][:] = 9
    np.testing.assert_array_equal(stream.at([3])[PICK], before)


def test_shapes_and_types_are_those_of_the_inputs():
    noise = RainNoise(draws=3, pick=(9, 4, 3), reach=(2, 2))
    found = NoiseStream(noise).at(range(5))
    assert {name: values.shape for name, values in found.items()} == {PICK: (5, 9, 4, 3), SHIFT: (5, 6)}
    assert all(values.dtype == np.int32 for values in found.values())
    assert found[PICK].shape[1:] == noise.shapes[PICK]


def test_picks_are_as_likely_one_as_another():
    picks = NoiseStream(NOISE, SEED).at(range(4000))[PICK]
    shares = np.bincount(picks.ravel(), minlength=4) / picks.size
    # 48,000 picks: a share's standard deviation is 0.002.
    np.testing.assert_allclose(shares, 0.25, atol=0.01)


def test_shifts_are_the_whole_numbers_nearest_to_a_uniform_reach():
    shifts = NoiseStream(NOISE, SEED).at(range(20000))[SHIFT]
    for column, reach in enumerate((1.6, 5.6)):
        values, counts = np.unique(shifts[:, column], return_counts=True)
        ends = np.clip(np.stack([values - 0.5, values + 0.5]), -reach, reach)
        np.testing.assert_allclose(counts / len(shifts), (ends[1] - ends[0]) / (2 * reach), atol=0.015)
        assert values.min() == -round(reach)
        assert values.max() == round(reach)


def test_the_two_shifts_of_a_frame_have_nothing_to_do_with_each_other():
    shifts = NoiseStream(RainNoise(draws=1, pick=None, reach=(50, 50)), SEED).at(range(4000))[SHIFT]
    assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.06


def test_fresh_numbers_are_never_given_twice_and_fresh_streams_differ():
    one, other = NoiseStream(NOISE), NoiseStream(NOISE)
    assert one.fresh(3) + one.fresh(2) == [0, 1, 2, 3, 4]
    assert one.seed != other.seed
    assert not np.array_equal(one.at([0])[PICK], other.at([0])[PICK])


def test_the_seed_it_says_replays_it():
    stream = NoiseStream(NOISE)
    again = NoiseStream(NOISE, seed_from_hex(stream.seed))
    np.testing.assert_array_equal(stream.at([5])[PICK], again.at([5])[PICK])


@pytest.mark.parametrize("text", ["", "zz", "00" * 31, "00" * 33])
def test_what_is_no_seed_is_refused(text):
    with pytest.raises(ConfigError, match="expected 64 hex digits"):
        seed_from_hex(text)


def test_a_seed_of_another_length_is_refused():
    with pytest.raises(ValueError, match="expected a seed of 32 bytes, got 3"):
        NoiseStream(NOISE, b"abc")


@pytest.mark.parametrize(
    "fields",
    [
        {"draws": 0, "pick": (1, 2, 2), "reach": None},
        {"draws": 1, "pick": None, "reach": None},
        {"draws": 2, "pick": (1, 2, 2), "reach": None},
        {"draws": 1, "pick": (1, 0, 2), "reach": None},
        {"draws": 1, "pick": None, "reach": (-1.0, 1.0)},
        {"draws": 1, "pick": None, "reach": (float("nan"), 1.0)},
    ],
)
def test_senseless_noise_is_no_manifest(fields):
    with pytest.raises(ValidationError):
        RainNoise(**fields)


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        ({"draws": 1, "pick": (1, 5, 3), "reach": None}, "a pick of"),
        ({"draws": 1, "pick": (1, 10**9, 10**9), "reach": None}, "a pick of"),
        ({"draws": 10**9, "pick": (10**9, 4, 3), "reach": None}, "draws"),
        ({"draws": 1, "pick": None, "reach": (1.0, 1e300)}, "a shift of up to"),
    ],
    ids=str,
)
def test_noise_that_does_not_fit_the_input_makes_no_bundle(noise, message, tmp_path):
    """It says how much memory to take, so it is looked at first."""
    with pytest.raises((BundleError, ValidationError), match=message):
        write_tiny_bundle(tmp_path / "bundle", noise=RainNoise(**noise))
