import cv2
import numpy as np
import pytest

from natadv.images import resize
from rigs.geometry import ScreenGeometry
from rigs.projection import ScreenPlacement, project


def _picture(size=64):
    y, x = np.mgrid[0:size, 0:size] / size
    return np.dstack([255 * x, 255 * y, 127 + 120 * np.sin(9 * x + 5 * y)]).astype(np.uint8)


def test_rectify_undoes_the_perspective():
    picture = _picture()
    corners = ((40.0, 30.0), (350.0, 44.0), (330.0, 290.0), (52.0, 270.0))
    source = np.float32([(-0.5, -0.5), (63.5, -0.5), (63.5, 63.5), (-0.5, 63.5)])
    matrix = cv2.getPerspectiveTransform(source, np.float32(corners))
    frame = cv2.warpPerspective(picture, matrix, (400, 320), borderMode=cv2.BORDER_REPLICATE)
    back = ScreenGeometry(corners).rectify(frame, (64, 64))
    assert np.abs(back[2:-2, 2:-2].astype(int) - picture[2:-2, 2:-2]).mean() < 1.5


def test_rectify_averages_what_is_finer_than_a_pixel():
    stripes = np.zeros((320, 320, 3), np.uint8)
    stripes[:, ::2] = 255
    cut = ScreenGeometry(((-0.5, -0.5), (319.5, -0.5), (319.5, 319.5), (-0.5, 319.5))).rectify(stripes, (32, 32))
    assert abs(cut.mean() - 127.5) < 1
    assert cut.std() < 1


def test_a_picture_that_fills_the_frame_is_only_resized():
    picture = _picture(128)
    geometry = ScreenGeometry(((-0.5, -0.5), (127.5, -0.5), (127.5, 127.5), (-0.5, 127.5)))
    assert np.abs(geometry.rectify(picture, (64, 64)).astype(int) - resize(picture, (64, 64))).max() <= 1


@pytest.mark.parametrize(
    "corners",
    [
        ((0, 0), (0, 10), (10, 10), (10, 0)),
        ((0, 0), (10, 0), (10, 10), (float("nan"), 10)),
        ((0, 0), (10, 0), (5, 1), (10, 10)),
    ],
)
def test_corners_that_are_no_outline_are_refused(corners):
    with pytest.raises(ValueError, match="four corners clockwise"):
        ScreenGeometry(corners)


def test_region_holds_the_picture():
    assert ScreenGeometry(((2.2, 1.0), (9.6, 1.4), (9.0, 8.0), (2.0, 8.2))).region((20, 9)) == (2, 1, 9, 9)


def test_a_screen_straight_ahead_is_scaled_about_the_middle():
    homography = ScreenPlacement(distance_mm=500).homography(1000, (480, 640))
    points = project(homography, np.array([(0.0, 0.0), (10.0, -5.0)]))
    assert np.allclose(points, [(319.5, 239.5), (339.5, 229.5)])


def test_a_screen_that_turns_away_shrinks_on_its_far_side():
    homography = ScreenPlacement(distance_mm=500, yaw_deg=20).homography(1000, (480, 640))
    left, middle, right = project(homography, np.array([(-50.0, 0), (0, 0), (50, 0)]))[:, 0]
    assert middle - left > right - middle > 0


@pytest.mark.parametrize(("yaw", "pitch", "roll"), [(2, -1.5, 0), (30, 30, 0), (-45, 60, 20), (70, 70, -50)])
def test_a_turned_screen_keeps_its_right_angles(yaw, pitch, roll):
    placed = ScreenPlacement(distance_mm=500, yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll)
    homography = placed.homography(800, (480, 640))
    camera = np.array([[800, 0, 319.5], [0, 800, 239.5], [0, 0, 1]])
    axes = np.linalg.solve(camera, homography)[:, :2]
    assert axes.T @ axes == pytest.approx(np.eye(2), abs=1e-12)
