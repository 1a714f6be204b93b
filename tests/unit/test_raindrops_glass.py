"""What the camera sees: lens images where optics puts them, rigid motion, and the exact integral."""

import math

import cv2
import numpy as np
import pytest

from natadv.raindrops import light
from natadv.raindrops.drops import DropParameters, Drops
from natadv.raindrops.exact import see_exactly
from natadv.raindrops.film import Film
from natadv.raindrops.glass import Scene, WetGlass
from natadv.raindrops.glint import Lamp
from natadv.raindrops.optics import Optics
from natadv.raindrops.pose import Pose
from natadv.raindrops.presets import PRESETS

HOME = Pose()


def _one(x_mm: float, y_mm: float, radius_mm: float, contact_deg: float = 40.0) -> Drops:
    columns = (np.array([value], np.float32) for value in (x_mm, y_mm, radius_mm, contact_deg))
    return Drops((200.0, 200.0), *columns, ragged=np.zeros((1, 3), np.complex64))


def _even(size: tuple[int, int], value: float = 0.5) -> Scene:
    full = np.full((*size, 3), value, np.float32)
    return Scene(full, wide=full, wide_factor=3.0, ambient=value)


def _drawn(size: tuple[int, int], seed: int = 0) -> Scene:
    """A drawn street: sky, ground, signs and lines, in their surround."""
    rng = np.random.default_rng(seed)
    height, width = size[0] * 2, size[1] * 2
    wide = np.empty((height, width, 3), np.uint8)
    wide[:] = np.linspace((200, 220, 255), (90, 110, 70), height).astype(np.uint8)[:, None]
    for _ in range(60):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        cv2.circle(wide, centre, int(rng.integers(5, 40)), colour, int(rng.choice([-1, 3])), cv2.LINE_AA)
        end = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.line(wide, centre, end, colour, int(rng.integers(1, 6)), cv2.LINE_AA)
    linear = light.decode(wide)
    top, left = size[0] // 2, size[1] // 2
    return Scene(np.ascontiguousarray(linear[top : top + size[0], left : left + size[1]]), wide=linear, wide_factor=2)


def test_a_drop_shows_the_scene_upside_down_and_small():
    optics = Optics(width_px=640, height_px=480, aperture_mm=0, lamp=None)
    view = np.full((480, 640, 3), 0.2, np.float32)
    view[140:180, 300:340] = (1, 0, 0)  # a red square 80 px above the middle
    glass = WetGlass(_one(0, 0, 1.0), optics)
    red = glass.see(Scene(view, ambient=0.2), HOME).linear
    inside = red[236:245, 316:325, 0] - red[236:245, 316:325, 1]
    rows, columns = np.mgrid[236:245, 316:325]
    weight = np.maximum(inside, 0)
    y, x = (rows * weight).sum() / weight.sum() - 239.5, (columns * weight).sum() / weight.sum() - 319.5
    # A cap magnifies -M = throw (n - 1) / (sphere's radius * px per mm); p - M p = -80 at the image of the square.
    sphere = 1.0 / math.sin(math.radians(40))
    minified = optics.throw_px * 0.333 / sphere / optics.px_per_mm_glass
    assert y == pytest.approx(79.5 / (minified - 1), rel=0.25)
    assert y > 1  # below the middle, where the square is above
    assert abs(x) < 0.4
    area = weight.sum() / 0.8
    assert 0 < area < 3 * (40 / minified) ** 2  # the square's 1600 px shrink to a few


def test_dry_glass_is_the_scene_itself():
    scene = _drawn((120, 160))
    view = WetGlass(Drops.empty(), Optics(width_px=160, height_px=120)).see(scene, Pose(5, -3, 40))
    assert np.array_equal(view.linear, scene.linear)
    assert view.linear is not scene.linear
    assert view.coverage() == 0


def test_where_no_drop_reaches_the_scene_stays_sharp():
    scene = _drawn((240, 320))
    glass = WetGlass(_one(0, 0, 3.0), Optics(width_px=320, height_px=240))
    seen = glass.see(scene, HOME).linear
    away = np.hypot(*np.meshgrid(np.arange(320) - 159.5, np.arange(240) - 119.5))
    assert np.array_equal(seen[away > 10], scene.linear[away > 10])
    assert np.abs(seen - scene.linear)[away < 5].mean() > 0.05


def test_drops_shift_with_the_plate():
    optics = Optics(width_px=320, height_px=240, lamp=None)  # 2 px per mm on the plate
    drops = Drops.empty().sprayed(np.random.default_rng(0), DropParameters(film_slope=0, film_haze=0))
    glass, scene = WetGlass(drops, optics), _even((240, 320))
    home, moved = glass.see(scene, HOME), glass.see(scene, Pose(x_mm=10, y_mm=-6))
    assert glass.cell == 1
    assert np.allclose(moved.linear[: 240 - 12, 20:], home.linear[12:, : 320 - 20], atol=2e-3)
    assert not np.allclose(moved.linear, home.linear, atol=0.05)


@pytest.mark.parametrize("angle", [90.0, 30.0, -75.0])
def test_drops_turn_with_the_plate_clockwise_about_its_middle(angle):
    optics = Optics(width_px=240, height_px=240, lamp=None)
    steep = DropParameters(mist_per_mm2=0, contact_deg=60, film_slope=0, film_haze=0)
    glass = WetGlass(Drops.empty().sprayed(np.random.default_rng(0), steep), optics)
    scene = _even((240, 240))
    home, turned = glass.see(scene, HOME).linear, glass.see(scene, Pose(angle_deg=angle)).linear
    # OpenCV's angle is anticlockwise: turn the turned picture back.
    back = cv2.warpAffine(turned, cv2.getRotationMatrix2D((119.5, 119.5), angle, 1), (240, 240))
    disc = np.hypot(*np.meshgrid(np.arange(240) - 119.5, np.arange(240) - 119.5)) < 110
    assert np.abs(back - home)[disc].mean() < 0.006
    assert np.abs(turned - home)[disc].mean() > 0.01


def test_a_drop_on_the_right_comes_to_the_bottom_after_a_quarter_turn():
    glass = WetGlass(_one(20, 0, 3.0), Optics(width_px=320, height_px=240))
    view = glass.see(_even((240, 320)), Pose(angle_deg=90))
    rows, columns = np.mgrid[: view.alpha.shape[0], : view.alpha.shape[1]]
    assert (rows * view.alpha).sum() / view.alpha.sum() * view.cell == pytest.approx(119.5 + 40, abs=2)
    assert (columns * view.alpha).sum() / view.alpha.sum() * view.cell == pytest.approx(159.5, abs=2)


@pytest.mark.parametrize("name", PRESETS)
def test_the_fast_form_agrees_with_the_lens_integral(name):
    """Tolerance: 0.012 of white on average, and a third of what the drops change."""
    wetness = PRESETS[name]
    optics = wetness.on(Optics(width_px=320, height_px=240))
    drops = Drops.empty((140.0, 120.0)).sprayed(np.random.default_rng(1), wetness.drops)
    glass, scene, pose = WetGlass(drops, optics), _drawn((240, 320)), Pose(4, -7, 25)
    fast, exact = glass.see(scene, pose), see_exactly(glass, scene, pose, samples=80)
    difference, change = np.abs(fast.linear - exact), np.abs(exact - scene.linear)
    assert difference.mean() < 0.012
    assert difference.mean() < change.mean() / 3
    # The means agree far better: what is left is detail inside the drops, not brightness.
    assert np.abs(fast.linear.mean((0, 1)) - exact.mean((0, 1))).max() < 0.003


@pytest.mark.shared
def test_the_fast_form_agrees_on_a_real_photograph(shared):
    photograph = cv2.imread(str(shared / "data" / "raindrop" / "true_pairs" / "clean" / "rdr_train_0.png"))
    scene = Scene(light.decode(cv2.resize(photograph, (480, 320), interpolation=cv2.INTER_AREA)))
    glass = WetGlass(Drops.empty().sprayed(np.random.default_rng(0)), Optics(width_px=480, height_px=320))
    fast, exact = glass.see(scene, HOME).linear, see_exactly(glass, scene, HOME, samples=80)
    assert np.abs(fast - exact).mean() < 0.01


def test_coverage_grows_with_each_spray_and_falls_with_drying():
    rng, optics = np.random.default_rng(0), Optics(width_px=160, height_px=120)
    drops, scene, covers = Drops.empty(), _even((120, 160)), [0.0]
    for _ in range(3):
        drops = drops.sprayed(rng)
        covers.append(WetGlass(drops, optics).see(scene, HOME).coverage())
    assert covers == sorted(set(covers))
    assert WetGlass(drops.dried(600), optics).see(scene, HOME).coverage() < covers[-1]


def test_coverage_of_a_region_is_that_of_the_drops_in_it():
    glass = WetGlass(_one(-20, 0, 6.0), Optics(width_px=640, height_px=480, aperture_mm=0.5))
    view = glass.see(_even((480, 640)), HOME)
    left, right = np.array([[0, 0], [319, 0], [319, 479], [0, 479]]), np.array([[330, 0], [639, 0], [639, 479]])
    assert view.coverage(left) == pytest.approx(math.pi * 24**2 / (320 * 480), rel=0.05)
    assert view.coverage(right) == 0
    for wrong in (np.zeros((2, 2)), np.full((3, 2), np.nan), left + 2000):
        with pytest.raises(ValueError, match="expected"):
            view.coverage(wrong)


def test_steep_drops_have_a_black_rim_and_a_clear_middle():
    seen = WetGlass(_one(0, 0, 5.0, 60.0), Optics(aperture_mm=0, lamp=None)).see(_even((480, 640)), HOME).linear
    row = seen[239, :, 0]
    assert row[319] == pytest.approx(0.5, abs=0.01)
    assert row[301] < 0.05  # 18.5 px from the middle of a drop of 20 px
    assert row[290] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("side", "tilt"), [("screen", math.asin(math.sin(math.radians(40)) / 1.333) / 2), ("camera", math.radians(20))]
)
def test_the_lamp_glints_where_the_face_mirrors_it_however_the_plate_turns(side, tilt):
    # A small drop, which gravity does not deform, close to the camera: 20 px in radius.
    drops, scene = _one(0, 0, 1.0), Scene(np.zeros((480, 640, 3), np.float32), ambient=0)
    lamp = Lamp(right_deg=0, up_deg=40)
    glass = WetGlass(drops, Optics(glass_mm=40, aperture_mm=0, lamp=lamp, wet_side=side))
    # The near face is a convex mirror: above the middle, as the lamp. The far face is concave: below.
    from_middle = 20 / math.sin(math.radians(40)) * math.sin(tilt) * (1 if side == "screen" else -1)
    for angle in (0, 90, 200):
        seen = glass.see(scene, Pose(angle_deg=angle)).linear[..., 0]
        y, x = np.unravel_index(seen.argmax(), seen.shape)
        assert seen.max() > 0.2
        assert x - 319.5 == pytest.approx(0, abs=1.5)
        assert y - 239.5 == pytest.approx(from_middle, abs=1.5)
    dark = WetGlass(drops, Optics(aperture_mm=0, lamp=None)).see(scene, HOME).linear
    assert dark.max() == 0


def test_a_film_wavers_and_pales_the_scene_without_drops():
    scene, optics = _drawn((240, 320)), Optics(width_px=320, height_px=240)
    wavering = WetGlass(Drops(film=Film(slope=0.004, seed=1)), optics).see(scene, HOME)
    assert wavering.coverage() == 0
    assert np.abs(wavering.linear - scene.linear).mean() > 0.005
    pale = WetGlass(Drops(film=Film(haze=0.5, seed=1)), optics).see(scene, HOME).linear
    assert pale.std() < 0.85 * scene.linear.std()
    assert pale.mean() == pytest.approx(scene.linear.mean(), rel=0.05)


def test_rays_beyond_the_view_see_the_wider_scene():
    black, white = np.zeros((240, 320, 3), np.float32), np.ones((48, 64, 3), np.float32)
    glass = WetGlass(_one(0, 0, 5.0), Optics(width_px=320, height_px=240, lamp=None))
    in_the_dark = glass.see(Scene(black, ambient=0), HOME).linear
    in_the_light = glass.see(Scene(black, wide=white, wide_factor=4), HOME).linear
    assert in_the_dark.max() == 0
    assert in_the_light.max() > 0.3
    assert Scene(black, ambient=0.3).lookup(4).image[0, 0, 0] == pytest.approx(0.3)


def test_lookups_keep_the_view_where_it_is():
    y, x = np.mgrid[:241, :319].astype(np.float32)
    ramp = np.dstack([x, y, x * 0])
    for reduction in (1, 4, 16):
        lookup = Scene(ramp, wide=ramp, wide_factor=1.7).lookup(reduction)
        at = np.array([[100.0, 200.0]]) * lookup.scale + lookup.offset
        found = cv2.remap(lookup.image, *(at[:, axis].astype(np.float32) for axis in (0, 1)), cv2.INTER_LINEAR)
        assert found[0, 0, :2] == pytest.approx([100, 200], abs=1.0)


def test_wrong_arguments_are_refused():
    good = np.zeros((120, 160, 3), np.float32)
    glass = WetGlass(_one(0, 0, 2.0), Optics(width_px=160, height_px=120))
    with pytest.raises(ValueError, match="120 x 160"):
        glass.see(Scene(good[:100]), HOME)
    with pytest.raises(ValueError, match="pose"):
        glass.see(Scene(good), Pose(x_mm=float("nan")))
    with pytest.raises(ValueError, match="samples"):
        see_exactly(glass, Scene(good), HOME, samples=0)
    for wrong in (good.astype(np.float64), good[..., 0], good + np.nan, good - 1, good[:0]):
        with pytest.raises(ValueError, match="expected linear"):
            Scene(wrong)
    for keywords in ({"wide": good, "wide_factor": 0.5}, {"ambient": -1.0}, {"wide": good.astype(np.uint8)}):
        with pytest.raises(ValueError, match="expected"):
            Scene(good, **keywords)
    with pytest.raises(ValueError, match="reduction"):
        Scene(good).lookup(0)
