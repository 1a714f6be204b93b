"""What every screen must do, as the rig's camera sees it."""

import numpy as np


def _seen(rig, picture):
    rig.screen.show(picture)
    rig.clock.sleep(rig.settle_s)
    return rig.geometry.rectify(rig.camera.read().image, (8, 8)).astype(int)


def test_the_picture_fills_its_outline_the_right_way_up(rig):
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:32, :32] = (255, 0, 0)
    picture[:32, 32:] = (0, 255, 0)
    picture[32:, :32] = (0, 0, 255)
    seen = _seen(rig, picture)
    assert seen[1:3, 1:3, 0].min() > 150
    assert seen[1:3, 5:7, 1].min() > 150
    assert seen[5:7, 1:3, 2].min() > 150
    assert seen[5:7, 5:7].max() < 70


def test_a_settled_picture_has_nothing_of_the_last_one(rig):
    white = _seen(rig, np.full((16, 16, 3), 255, np.uint8))
    black = _seen(rig, np.zeros((16, 16, 3), np.uint8))
    assert white.min() > 150
    assert black.max() < 70


def test_any_size_of_picture_is_shown_whole(rig):
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:, 48:] = 255
    seen = _seen(rig, wide)
    assert seen[:, :3].max() < 70
    assert seen[:, 5:].min() > 150


def test_it_closes_twice(rig):
    rig.screen.close()
    rig.screen.close()
