"""Pictures behind random plates, and the 8-bit code of light."""

import numpy as np
import pytest

from natadv.raindrops import light
from natadv.raindrops.drops import DropParameters
from natadv.raindrops.photograph import RandomGlass, through_glass
from natadv.raindrops.presets import PRESETS, Wetness

DRY = Wetness(DropParameters(drops_per_mm2=0, mist_per_mm2=0, film_slope=0, film_haze=0))


def _picture(size: tuple[int, int] = (48, 64)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)


def test_every_code_survives_light_and_back():
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    assert np.array_equal(light.encode(light.decode(codes)), codes)
    assert light.decode(codes)[-1, -1, 0] == 1
    assert light.encode(np.full((1, 1, 3), 7, np.float32)).max() == 255
    assert light.encode(np.full((1, 1, 3), -7, np.float32)).max() == 0


def test_code_refuses_other_types():
    with pytest.raises(ValueError, match="uint8"):
        light.decode(np.zeros((2, 2, 3), np.float32))
    with pytest.raises(ValueError, match="float32"):
        light.encode(np.zeros((2, 2, 3), np.float64))


def test_a_dry_plate_returns_the_picture_itself():
    assert np.array_equal(through_glass(_picture(), np.random.default_rng(0), wetness=DRY), _picture())


def test_the_same_seeds_give_the_same_picture_and_poses_differ():
    plates = [RandomGlass((48, 64), np.random.default_rng(1), plates=2) for _ in range(2)]
    first, again = (glass(_picture(), np.random.default_rng(2)) for glass in plates)
    assert np.array_equal(first, again)
    assert first.shape == (48, 64, 3)
    assert first.dtype == np.uint8
    rng = np.random.default_rng(2)
    pictures = [plates[0](_picture(), rng) for _ in range(4)]
    assert np.array_equal(pictures[0], first)
    assert not np.array_equal(pictures[0], pictures[1])


def test_drops_change_the_picture_as_much_as_their_preset_says():
    grey = np.full((64, 64, 3), 128, np.uint8)
    changes = {}
    for name in ("light", "heavy"):
        glass = RandomGlass((64, 64), np.random.default_rng(0), plates=1, wetness=[PRESETS[name]])
        rng = np.random.default_rng(1)
        changes[name] = np.mean([np.abs(glass(grey, rng).astype(int) - grey).mean() for _ in range(5)])
    assert 0.2 < changes["light"] < changes["heavy"] / 2
    assert changes["heavy"] < 60


def test_wrong_pictures_and_pools_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="expected uint8"):
        RandomGlass((32, 32), rng, plates=1, wetness=[DRY])(_picture(), rng)
    with pytest.raises(ValueError, match="expected uint8"):
        through_glass(_picture().astype(np.float32), rng)
    for size, plates, wetness in (((0, 3), 1, None), ((3, 3), 0, None), ((3, 3), 1, [])):
        with pytest.raises(ValueError, match="expected"):
            RandomGlass(size, rng, plates=plates, wetness=wetness)
