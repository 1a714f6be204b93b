"""What every camera must do."""

from itertools import pairwise

import numpy as np
import pytest

from natadv.errors import DeviceError
from tests.camera_bench import CLOCKLESS


def test_frames_are_as_the_camera_says(rig):
    frame = rig.camera.read()
    assert frame.image.dtype == np.uint8
    assert frame.image.shape == (rig.camera.info.height_px, rig.camera.info.width_px, 3)


def test_index_and_time_rise_together(rig, rig_file):
    frames = [rig.camera.read() for _ in range(5)]
    for before, after in pairwise(frames):
        assert after.index > before.index
        assert after.timestamp_s > before.timestamp_s
        if rig_file in CLOCKLESS:
            continue  # its frames are stamped as they arrive, which on a busy machine is when it pleases
        expected_s = (after.index - before.index) / rig.camera.info.fps
        assert after.timestamp_s - before.timestamp_s == pytest.approx(expected_s, abs=0.25 / rig.camera.info.fps)


def test_nobody_gets_an_old_frame_after_a_pause(rig):
    before = rig.camera.read()
    now_s = rig.clock.now_s()
    rig.clock.sleep(1.0)
    after = rig.camera.read()
    # One that began before the call and is finished by now will do; where the second began, in turn, is as uncertain.
    assert after.timestamp_s - before.timestamp_s >= 1.0 - 2 / rig.camera.info.fps
    assert rig.clock.now_s() >= now_s + 1.0


def test_a_closed_camera_says_so_and_closes_twice(rig):
    rig.camera.close()
    rig.camera.close()
    with pytest.raises(DeviceError):
        rig.camera.read()
