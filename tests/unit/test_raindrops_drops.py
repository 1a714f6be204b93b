"""Populations: what sprays add, what drying takes, and that chance comes from the generator."""

import math

import numpy as np
import pytest

from natadv.raindrops.drops import DropParameters, Drops
from natadv.raindrops.film import Film
from natadv.raindrops.presets import PRESETS


def _sprayed(seed: int = 0, **parameters: float) -> Drops:
    return Drops.empty((120.0, 120.0)).sprayed(np.random.default_rng(seed), DropParameters(**parameters))


def _one(radius_mm: float, x_mm: float = 0.0, contact_deg: float = 45.0) -> Drops:
    column = [np.array([value], np.float32) for value in (x_mm, 0.0, radius_mm, contact_deg)]
    return Drops((60.0, 60.0), *column, ragged=np.zeros((1, 3), np.complex64))


def test_the_same_seed_sprays_the_same_drops_and_another_does_not():
    first, again, other = _sprayed(3), _sprayed(3), _sprayed(4)
    for name in ("x_mm", "y_mm", "radius_mm", "contact_deg", "ragged"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert first.film == again.film
    assert not np.array_equal(first.x_mm[:50], other.x_mm[:50])


def test_each_spray_adds_water_and_film():
    rng, drops = np.random.default_rng(1), Drops.empty((120.0, 120.0))
    assert len(drops) == 0
    assert drops.volume_mm3 == 0
    for _ in range(4):
        before, drops = drops, drops.sprayed(rng)
        assert len(drops) > len(before)
        assert drops.volume_mm3 > before.volume_mm3
        assert drops.film.haze > before.film.haze


def test_sizes_are_log_normal_about_the_median():
    drops = _sprayed(0, drops_per_mm2=0.05, radius_mm=0.8, radius_spread=0.3, mist_per_mm2=0, max_radius_mm=6)
    assert np.median(drops.radius_mm) == pytest.approx(0.8, rel=0.1)
    assert np.std(np.log(drops.radius_mm)) == pytest.approx(0.3, rel=0.25)


def test_drops_that_land_in_another_join_it_and_keep_the_water():
    alone = DropParameters(drops_per_mm2=0.02, mist_per_mm2=0, contact_spread_deg=0, max_radius_mm=50)
    lake = _one(29.0)
    rained = lake.sprayed(np.random.default_rng(0), alone)
    inside = np.hypot(rained.x_mm, rained.y_mm) < 25
    assert inside.sum() == 1
    landed = Drops.empty((60.0, 60.0)).sprayed(np.random.default_rng(0), alone)
    assert rained.volume_mm3 == pytest.approx(lake.volume_mm3 + landed.volume_mm3, rel=0.02)


def test_trails_add_beads_above_the_drops_that_ran():
    still, running = _sprayed(5, mist_per_mm2=0), _sprayed(5, mist_per_mm2=0, trail_share=1.0)
    assert len(running) > 1.5 * len(still)
    assert np.median(running.radius_mm) < np.median(still.radius_mm)


def test_drying_takes_small_drops_first_and_in_the_end_all():
    drops = _sprayed(2)
    damp = drops.dried(120)
    assert 0 < len(damp) < len(drops)
    assert damp.volume_mm3 < drops.volume_mm3
    assert damp.film.haze < drops.film.haze
    assert damp.radius_mm.min() > drops.radius_mm.min()
    assert len(drops.dried(24 * 3600)) == 0
    assert drops.dried(0) is drops
    assert len(drops.dried(120, airflow=20)) < len(damp)
    assert len(drops.dried(3600, humidity=1.0)) == len(drops)


def test_a_drop_loses_water_at_the_rate_of_hu_and_larson():
    drop = _one(1.0, contact_deg=60.0)
    lost = drop.volume_mm3 - drop.dried(10).volume_mm3
    # D (1 - H) c / rho with D = 25 mm2/s, c = 17.3 g/m3, rho = 998 kg/m3, H = 0.5
    rate = math.pi * 1.0 * 25 * 0.5 * 17.3e-3 / 998 * (0.27 * math.radians(60) ** 2 + 1.30)
    assert lost == pytest.approx(10 * rate, rel=1e-3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"drops_per_mm2": float("nan")},
        {"drops_per_mm2": -0.1},
        {"radius_mm": 0.0},
        {"max_radius_mm": 0.0},
        {"contact_deg": 90.0},
        {"raggedness": 0.5},
        {"trail_share": 1.5},
        {"film_slope": float("inf")},
        {"film_haze": 1.5},
        {"film_mm": 0.0},
    ],
)
def test_impossible_sprays_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        DropParameters(**wrong)


def test_impossible_drops_and_times_are_refused():
    with pytest.raises(ValueError, match="finite"):
        _one(float("nan"))
    with pytest.raises(ValueError, match="radii"):
        _one(-1.0)
    with pytest.raises(ValueError, match="one length"):
        Drops(x_mm=np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="area"):
        Drops.empty((0.0, 10.0))
    with pytest.raises(ValueError, match="amount"):
        Drops.empty().sprayed(np.random.default_rng(0), amount=-1)
    for wrong in ({"seconds": -1}, {"seconds": 1, "humidity": 2}, {"seconds": 1, "receding_deg": 0}):
        with pytest.raises(ValueError, match="expected"):
            _one(1.0).dried(**wrong)
    for wrong in ({"slope": 1.0}, {"haze": -0.1}, {"length_mm": 0.0}):
        with pytest.raises(ValueError, match="expected"):
            Film(**wrong)


def test_presets_range_from_lenses_to_discs():
    from natadv.raindrops.optics import Optics

    blur = {name: wetness.on(Optics()).blur_px for name, wetness in PRESETS.items()}
    radius = {name: w.drops.radius_mm * w.on(Optics()).px_per_mm_glass for name, w in PRESETS.items()}
    assert blur["light"] < radius["light"] / 2  # a lens: the disc is far smaller than the drop
    assert blur["soft"] > 2 * radius["soft"]  # a disc: no part of the drop is seen apart
