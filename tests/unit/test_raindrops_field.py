"""The water's surface: caps in closed form, merged outlines by what must hold for any of them."""

import math

import numpy as np
import pytest

from natadv.raindrops.drops import DropParameters, Drops
from natadv.raindrops.field import _relaxed, field_of


def _drops(*rows: tuple[float, float, float, float]) -> Drops:
    """x, y, radius (mm), contact (deg); round."""
    columns = (np.array(column, np.float32) for column in zip(*rows, strict=True))
    return Drops((40.0, 40.0), *columns, ragged=np.zeros((len(rows), 3), np.complex64))


def _grid(per_mm: float, size: int) -> tuple[np.ndarray, np.ndarray]:
    axis = (np.arange(size) + 0.5) / per_mm - 20
    return np.meshgrid(axis, axis)


def test_a_small_round_drop_is_a_spherical_cap():
    # Small, so that gravity (b = 0.01) does not show.
    radius, contact = 0.4, 40.0
    field = field_of(_drops((0, 0, radius, contact)), 50.0)
    x, y = _grid(50.0, field.alpha.shape[0])
    r = np.hypot(x, y)
    sphere = radius / math.sin(math.radians(contact))
    inside = r < radius - 0.03
    steepness = np.hypot(field.slope[..., 0], field.slope[..., 1])
    assert np.abs(steepness[inside] - (r / np.sqrt(np.maximum(sphere**2 - r**2, 1e-9)))[inside]).max() < 0.03
    assert (field.slope[..., 0] * x + field.slope[..., 1] * y)[inside].max() <= 1e-6  # thickest in the middle
    assert steepness[r > radius + 0.05].max() == 0
    assert field.alpha.sum() / 50**2 == pytest.approx(math.pi * radius**2, rel=0.01)


def test_gravity_makes_the_lower_side_steeper():
    field = field_of(_drops((0, 0, 2.5, 40.0)), 10.0)
    middle = field.slope[:, 200, 1]
    assert abs(middle[222]) > 1.2 * abs(middle[177])


def test_relaxation_finds_the_paraboloid_on_a_disc():
    x, y = _grid(5.0, 200)
    mask = (np.hypot(x, y) < 8).astype(np.float32)
    u = _relaxed(mask, np.full_like(mask, 4.0), 0.2)
    expected = np.maximum(64 - x**2 - y**2, 0)
    assert np.abs(u - expected).max() < 0.06 * 64


def test_touching_drops_share_one_smooth_outline():
    apart = field_of(_drops((-2.5, 0, 2, 40), (2.5, 0, 2, 40)), 8.0)
    merged = field_of(_drops((-1.9, 0, 2, 40), (1.9, 0, 2, 40)), 8.0)
    middle = apart.alpha.shape[0] // 2
    assert apart.alpha[middle, middle] == 0
    neck = merged.alpha[:, middle].sum() / 8
    crease = 2 * math.sqrt(2**2 - 1.9**2)  # where two circles would cross
    assert crease * 1.3 < neck < 4
    # Smooth: no jump of the slope where the two would meet, unlike the crease between two caps.
    along = merged.slope[middle, middle - 6 : middle + 6, 0]
    assert np.abs(np.diff(along)).max() < 0.15
    assert np.abs(along).max() < math.tan(math.radians(40)) / 2


def test_a_merged_drop_has_the_contact_angle_of_its_parts():
    field = field_of(_drops((-1.5, 0, 2, 30), (1.5, 0, 2, 30)), 10.0)
    rim = (field.alpha > 0.9) & (np.hypot(*np.gradient(field.alpha)) > 0.05)
    steepness = np.hypot(field.slope[..., 0], field.slope[..., 1])[rim]
    assert np.mean(steepness) == pytest.approx(math.tan(math.radians(30)), rel=0.25)


def test_every_slope_is_finite_on_a_crowded_plate():
    drops = Drops.empty((40.0, 40.0)).sprayed(
        np.random.default_rng(0), DropParameters(drops_per_mm2=0.2, contact_deg=80, raggedness=0.2, trail_share=0.5)
    )
    field = field_of(drops, 6.0)
    assert np.isfinite(field.slope).all()
    assert 0.3 < field.alpha.mean() <= 1
    assert field_of(Drops.empty((40.0, 40.0)), 6.0).alpha.max() == 0


def test_resolution_must_be_positive():
    with pytest.raises(ValueError, match="per_mm"):
        field_of(Drops.empty(), float("nan"))
