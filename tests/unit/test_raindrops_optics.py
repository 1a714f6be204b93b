"""Snell, Fresnel and the bench's triangles, against closed forms."""

import math

import numpy as np
import pytest

from natadv.raindrops.defocus import disc
from natadv.raindrops.glint import Lamp, glint_of
from natadv.raindrops.optics import Optics
from natadv.raindrops.refraction import WATER_INDEX, deflection, transmission


@pytest.mark.parametrize("side", ["screen", "camera"])
def test_weak_slopes_bend_like_a_thin_prism(side):
    slope = np.array([0.001, 0.01, 0.03], np.float32)
    assert deflection(slope, WATER_INDEX, side) == pytest.approx((WATER_INDEX - 1) * slope, rel=2e-3)


def test_thirty_degrees_bend_as_snell_says():
    slope = np.array([math.tan(math.radians(30))], np.float32)
    out = math.degrees(math.atan(deflection(slope, 1.333, "screen")[0]))
    assert out == pytest.approx(41.80 - 30, abs=0.02)  # asin(1.333 sin 30) = 41.80
    inside = 30 - math.degrees(math.asin(0.5 / 1.333))
    expected = math.degrees(math.asin(1.333 * math.sin(math.radians(inside))))
    assert math.degrees(math.atan(deflection(slope, 1.333, "camera")[0])) == pytest.approx(expected, abs=0.02)


def test_deflection_grows_up_to_total_reflection_and_no_light_passes_beyond():
    tilt = np.radians(np.arange(0, 80, 1)).astype(np.float32)
    bent, passed = deflection(np.tan(tilt)), transmission(np.tan(tilt))
    critical = math.asin(1 / WATER_INDEX)
    assert (np.diff(bent) >= 0).all()
    assert passed[0] == pytest.approx(1)
    assert (passed[tilt > critical + 1e-3] == 0).all()
    assert (passed[tilt < critical - 1e-3] > 0).all()
    assert (np.diff(passed[tilt < critical]) <= 1e-6).all()


def test_towards_the_camera_nothing_is_reflected_totally_and_the_rim_darkens():
    passed = transmission(np.tan(np.radians([0.0, 45.0, 75.0, 88.0])).astype(np.float32), WATER_INDEX, "camera")
    assert passed[0] == pytest.approx(1)
    assert (np.diff(passed) < 0).all()
    assert passed[2] > 0.5
    assert passed[3] < 0.3


def test_bench_follows_similar_triangles():
    optics = Optics(width_px=640, view_mm=480, screen_mm=600, glass_mm=200, aperture_mm=2)
    assert optics.px_per_mm_screen == pytest.approx(640 / 480)
    assert optics.px_per_mm_glass == pytest.approx(3 * 640 / 480)
    # An aperture of 2 mm is 4/3 mm on the plate, a third of the way to the screen.
    assert optics.blur_px == pytest.approx(4 / 3 * optics.px_per_mm_glass)
    assert optics.throw_px == pytest.approx(400 * 640 / 480)


@pytest.mark.parametrize(
    "wrong",
    [
        {"width_px": 0},
        {"view_mm": float("nan")},
        {"screen_mm": -1.0},
        {"glass_mm": 700.0},
        {"aperture_mm": float("inf")},
        {"water_index": 1.0},
        {"wet_side": "left"},
    ],
)
def test_impossible_benches_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        Optics(**wrong)


@pytest.mark.parametrize("wrong", [{"radiance": -1.0}, {"radius_deg": 0.0}, {"up_deg": float("nan")}, {"up_deg": 90.0}])
def test_impossible_lamps_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        Lamp(**wrong)


@pytest.mark.parametrize("radius_deg", [0.5, 4.0, 15.0])
def test_a_glint_keeps_the_lamps_light_however_small_it_is(radius_deg):
    lamp = Lamp(right_deg=0, up_deg=30, radius_deg=radius_deg, radiance=50)
    glint = glint_of(lamp, WATER_INDEX, "screen")
    axis = np.linspace(-1, 1, 1501, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    # Over slope, which is deflection / (n - 1), the light is that of a flat disc at reflectance R.
    light = glint.at(x, y).sum() * (axis[1] - axis[0]) ** 2 / (WATER_INDEX - 1) ** 2
    reflectance = ((WATER_INDEX - 1) / (WATER_INDEX + 1)) ** 2
    radius = math.tan(math.radians(radius_deg)) / (2 * WATER_INDEX)
    assert light == pytest.approx(50 * reflectance * math.pi * radius**2, rel=0.02)


@pytest.mark.parametrize("diameter", [0.0, 0.7, 1.0, 2.5, 5.0, 11.3])
def test_disc_keeps_light_and_has_its_diameter(diameter):
    kernel = disc(diameter)
    assert kernel.sum() == pytest.approx(1)
    assert kernel.shape[0] % 2 == 1
    assert np.allclose(kernel, kernel[::-1, ::-1], atol=1e-7)
    if diameter > 2:
        # A disc's middle is 1 / area.
        assert 1 / kernel.max() == pytest.approx(math.pi * diameter**2 / 4, rel=0.05)


def test_disc_refuses_nonsense():
    with pytest.raises(ValueError, match="diameter"):
        disc(float("nan"))
