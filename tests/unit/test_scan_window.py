import cv2
import numpy as np
import pytest

from natadv.images import resize
from rigs.clip import write_clip
from rigs.frame import Frame
from rigs.geometry import ScreenGeometry, Window

CORNERS = ((31.0, 22.0), (231.0, 27.0), (228.0, 222.0), (35.0, 219.0))


def _frame(height=250, width=261):
    y, x = np.mgrid[0:height, 0:width]
    return np.dstack([x * 255 / width, y * 255 / height, 127 + 100 * np.sin(x / 9 + y / 14)]).astype(np.uint8)


@pytest.mark.parametrize("halvings", [0, 1, 2])
def test_a_picture_cut_out_of_a_window_is_that_of_the_frame(halvings):
    frame, geometry = _frame(), ScreenGeometry(CORNERS)
    window = geometry.window(frame.shape[:2], halvings)
    part = window.of(frame)
    assert part.size < frame.size / 4**halvings
    seen = geometry.seen_through(window).rectify(part, (24, 24)).astype(int)
    assert np.abs(seen - geometry.rectify(frame, (24, 24))).max() <= 3


def test_fast_rectifying_agrees_with_the_plain_way():
    frame, size = _frame(), (16, 16)
    large = (16 * 24, 16 * 24)
    outline = np.float32([(-0.5, -0.5), (383.5, -0.5), (383.5, 383.5), (-0.5, 383.5)])
    matrix = cv2.getPerspectiveTransform(np.float32(CORNERS), outline)
    exact = resize(cv2.warpPerspective(frame, matrix, large), size).astype(int)
    assert np.abs(ScreenGeometry(CORNERS).rectify(frame, size) - exact).max() <= 4


def test_a_window_keeps_the_ends_of_an_odd_frame():
    frame = np.zeros((9, 11, 3), np.uint8)
    frame[8, 10] = 200
    part = Window(0, 0, 12, 12, halvings=1).of(frame)
    assert part.shape == (5, 6, 3)
    assert (part[4, 5] == 200).all()
    assert part[:4, :5].max() == 0


@pytest.mark.parametrize("halvings", [0, 1])
def test_a_clip_gives_the_same_through_a_window_as_whole(tmp_path, halvings):
    rng = np.random.default_rng(2)
    frames = [Frame(rng.integers(0, 256, (40, 48, 3), np.uint8), n, n / 30) for n in range(3)]
    clip = write_clip(tmp_path / "clip", frames, 30.0)
    window = Window(6, 4, 40, 32, halvings)
    for frame, image in zip(frames, clip.images(window=window), strict=True):
        assert (image == window.of(frame.image)).all()


def test_frames_are_halved_only_as_far_as_the_result_allows():
    geometry = ScreenGeometry(((-0.5, -0.5), (599.5, -0.5), (599.5, 599.5), (-0.5, 599.5)))
    assert [geometry.halvings((side, side), 3) for side in (300, 100, 64, 50, 24)] == [0, 1, 1, 2, 3]
