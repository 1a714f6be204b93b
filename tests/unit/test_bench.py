import math

import numpy as np
import pytest

from capture.recorder import record_frames, record_seconds
from natadv.errors import DeviceError
from natadv.raindrops.pose import Pose
from rigs.camera.base import CameraInfo
from rigs.frame import Frame
from rigs.rig import load_rig
from tests.rig_files import small_rig

WHITE, BLACK = np.full((8, 8, 3), 255, np.uint8), np.zeros((8, 8, 3), np.uint8)


@pytest.fixture
def settings(tmp_path):
    return load_rig(small_rig(tmp_path))


def _brightness(rig):
    return rig.geometry.rectify(rig.camera.read().image, (8, 8)).mean()


def test_who_does_not_wait_for_the_screen_sees_the_last_picture(settings):
    with settings.open() as rig:
        rig.screen.show(WHITE)
        rig.clock.sleep(1)
        rig.screen.show(BLACK)
        assert _brightness(rig) > 150
        rig.clock.sleep(rig.settle_s)
        assert _brightness(rig) < 70


def test_five_seconds_are_a_hundred_and_fifty_frames_by_device_time(settings):
    with settings.open() as rig:
        rig.clock.sleep(math.pi)
        recording = record_seconds(rig.camera, 5.0)
    assert len(recording.frames) == 150
    assert recording.lost == 0
    assert recording.frames[-1].timestamp_s - recording.frames[0].timestamp_s == pytest.approx(149 / 30)


def test_a_frame_that_the_camera_lost_is_counted(tmp_path):
    settings = load_rig(small_rig(tmp_path, lost_frames=0.3))
    with settings.open() as rig:
        recording = record_frames(rig.camera, 20)
    indices = [frame.index for frame in recording.frames]
    assert recording.lost == indices[-1] - indices[0] - 19 > 0


def test_too_many_lost_frames_are_an_error(tmp_path):
    settings = load_rig(small_rig(tmp_path, lost_frames=0.3))
    with settings.open() as rig, pytest.raises(DeviceError, match=r"lost by its counter"):
        record_seconds(rig.camera, 2.0)


class _StuckClock:
    info = CameraInfo(4, 4, 30)

    def read(self):
        return Frame(BLACK, 0, 1.0)

    def close(self):
        pass


def test_a_clock_that_stands_still_is_an_error_not_an_endless_recording():
    with pytest.raises(DeviceError, match="check its clock"):
        record_seconds(_StuckClock(), 5.0)


def test_the_plate_moves_while_frames_are_exposed(settings):
    with settings.open() as rig:
        rig.sprayer.spray(1)
        rig.stage.follow([Pose(20, 0, 45)])
        frames = [rig.camera.read() for _ in range(5)]
    xs = [frame.pose.x_mm for frame in frames]
    assert xs == sorted(xs)
    assert xs[-1] > xs[0]
    assert np.abs(frames[0].image.astype(int) - frames[-1].image).mean() > 1


def test_a_seed_repeats_the_world(settings):
    def see(seed):
        with settings.open() as rig:
            rig.reseed(seed)
            rig.screen.show(WHITE)
            rig.sprayer.spray(1)
            return rig.camera.read().image

    assert (see(3) == see(3)).all()
    assert (see(3) != see(4)).any()


def test_the_camera_darkens_towards_its_corners(settings):
    bright = settings.model_copy(
        update={"screen": settings.screen.model_copy(update={"picture_mm": 200.0, "ground": 1.0})}
    )
    with bright.open() as rig:
        rig.screen.show(WHITE)
        rig.clock.sleep(1)
        image = rig.camera.read().image.astype(float)
    middle, corner = image[50:70, 70:90].mean(), image[12:18, 20:30].mean()
    assert corner < 0.95 * middle


def test_noise_grows_with_light_as_photons_do(settings):
    def spread(picture):
        with settings.open() as rig:
            rig.screen.show(picture)
            rig.clock.sleep(1)
            a, b = (rig.camera.read().image[40:80, 60:100] / 255.0 for _ in range(2))
        light_a, light_b = a**2.2, b**2.2
        return light_a.mean(), (light_a - light_b).std() / math.sqrt(2)

    grey, white = spread(np.full((8, 8, 3), 128, np.uint8)), spread(WHITE)
    assert white[1] / grey[1] == pytest.approx(math.sqrt(white[0] / grey[0]), rel=0.15)
    well = settings.camera.sensor.full_well_e
    assert white[1] == pytest.approx(math.sqrt(white[0] / well), rel=0.2)


def test_a_live_rig_loses_what_it_cannot_render_in_time(tmp_path):
    settings = load_rig(small_rig(tmp_path, fps=1000))
    with settings.open(realtime=True) as rig:
        first = rig.camera.read()
        rig.clock.sleep(0.05)
        later = rig.camera.read()
    assert later.index - first.index >= 45
