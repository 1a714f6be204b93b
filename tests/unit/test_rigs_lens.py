import numpy as np
import pytest

from rigs.geometry import ScreenGeometry
from rigs.lens import Lens
from rigs.panel import lit

CORNERS = ((60.0, 40.0), (380.0, 52.0), (372.0, 300.0), (70.0, 310.0))
GRID = np.dstack(np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 1, 9)))


def _lens(k1=-0.08, k2=0.0, unit=400.0):
    return Lens(k1, k2, (219.5, 179.5), unit)


@pytest.mark.parametrize(("k1", "k2"), [(-0.08, 0.0), (0.15, -0.1), (-0.3, 0.2), (0.0, 0.0)])
def test_straightening_undoes_the_bend(k1, k2):
    points = np.random.default_rng(0).uniform(0, 400, (50, 2))
    lens = _lens(k1, k2)
    assert lens.straighten(lens.bend(points)) == pytest.approx(points, abs=1e-6)
    assert lens.settings.lens == lens


def test_a_barrel_draws_the_corners_in_and_leaves_the_centre():
    lens = _lens(unit=100.0)
    assert lens.bend(np.array([219.5, 179.5])) == pytest.approx((219.5, 179.5))
    assert lens.bend(np.array([319.5, 179.5])) == pytest.approx((219.5 + 92, 179.5))


def test_a_lens_that_folds_the_picture_is_refused():
    with pytest.raises(ValueError, match="does not reach so far out"):
        ScreenGeometry(CORNERS, Lens(-2.0, 0.0, (219.5, 179.5), 200.0))


@pytest.mark.parametrize("lens", [None, _lens(), _lens(0.2)])
def test_points_and_places_are_each_others_inverse(lens):
    geometry = ScreenGeometry(CORNERS, lens)
    places = geometry.places(GRID)
    assert geometry.points(places) == pytest.approx(GRID, abs=1e-5)
    assert places[[0, 0, -1, -1], [0, -1, -1, 0]] == pytest.approx(np.array(CORNERS), abs=1e-3)


@pytest.mark.parametrize("k1", [-0.3, 0.3])
def test_the_region_holds_the_sides_that_a_lens_bends(k1):
    geometry = ScreenGeometry(CORNERS, _lens(k1))
    left, top, right, bottom = geometry.region((400, 460))
    places = geometry.places(np.dstack(np.meshgrid(np.linspace(0, 1, 60), np.linspace(0, 1, 60)))).reshape(-1, 2)
    assert (places >= (left - 0.6, top - 0.6)).all()
    assert (places <= (right + 0.1, bottom + 0.1)).all()


@pytest.mark.parametrize("k1", [-0.2, 0.15])
@pytest.mark.parametrize("halvings", [0, 1])
def test_a_picture_behind_a_lens_is_rectified_also_through_a_window(k1, halvings):
    y, x = np.mgrid[0:96, 0:96] / 96
    picture = np.dstack([255 * x, 255 * y, 127 + 100 * np.sin(9 * x + 5 * y)]).astype(np.uint8)
    lens = _lens(k1)
    panel = lit(picture, (96, 96), 96, ground=0, black=0, pitch_mm=1, gamma=1.0)
    homography = np.array([[3.2, 0.05, 219.5], [0.02, 2.8, 179.5], [0, 0.0002, 1]])
    frame = np.rint(255 * panel.seen(homography, (360, 440), 0.0, lens)).astype(np.uint8)
    corners = np.array([(-48, -48), (48, -48), (48, 48), (-48, 48)]) @ homography[:, :2].T + homography[:, 2]
    a, b, c, d = lens.bend(corners[:, :2] / corners[:, 2:])
    geometry = ScreenGeometry((tuple(a), tuple(b), tuple(c), tuple(d)), lens)
    window = geometry.window(frame.shape[:2], halvings)
    seen = geometry.seen_through(window).rectify(window.of(frame), (48, 48))[2:-2, 2:-2].astype(int)
    true = picture.reshape(48, 2, 48, 2, 3).mean((1, 3))[2:-2, 2:-2]
    assert np.abs(seen - true).mean() < 1.5
    plain = ScreenGeometry(geometry.corners_px).rectify(frame, (48, 48))[2:-2, 2:-2].astype(int)
    assert np.abs(plain - true).mean() > 2 * np.abs(seen - true).mean()
