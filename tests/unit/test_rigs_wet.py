import threading
from dataclasses import replace

import numpy as np
import pytest

from natadv.errors import ConfigError, DeviceError
from natadv.raindrops.drops import Drops
from natadv.raindrops.optics import Optics
from natadv.raindrops.pose import Pose
from rigs.bench import Bench, BenchSettings
from rigs.camera.base import CameraInfo
from rigs.camera.wet import Rain, WetCamera
from rigs.clock import VirtualClock
from rigs.frame import Frame
from rigs.geometry import whole
from rigs.rig import RigSettings
from rigs.settings import parse_settings
from tests.displays import LOOPBACK

SIZE = (96, 96)


def rain():
    return Rain(Optics(width_px=96, height_px=96, view_mm=60), whole(SIZE), 0.18)


def picture():
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)


class Steady:
    info = CameraInfo(96, 96, 30.0)

    def __init__(self):
        self.count = -1

    def read(self):
        self.count += 1
        return Frame(picture(), self.count, self.count / 30)

    def close(self):
        self.count = None


class Turning:
    known = True

    def pose_at(self, time_s):
        return Pose(time_s, 0.0, 90 * time_s) if self.known else None


@pytest.fixture
def world():
    return Bench(BenchSettings(), VirtualClock())


def test_dry_glass_changes_no_bit(world):
    frame = WetCamera(Steady(), world, Turning(), rain()).read()
    assert (frame.image == picture()).all()
    assert (frame.drops.count, frame.drops.coverage) == (0, 0.0)
    assert frame.pose == Pose()


def test_a_frame_is_a_function_of_picture_drops_and_pose(world):
    camera = WetCamera(Steady(), world, Turning(), rain())
    world.drops = Drops.empty((60.0, 60.0)).sprayed(np.random.default_rng(1))
    frames = [camera.read() for _ in range(4)]
    wet = [frame.image for frame in frames]
    for frame, image in zip(frames, wet, strict=True):
        assert frame.pose == Turning().pose_at(frame.index / 30)
        again, drops = rain().over(picture(), world.drops, frame.pose)
        assert (again == image).all()
        assert frame.drops == drops
        assert drops.count == len(world.drops) > 0
        assert 0 < drops.coverage < 1
        assert (image != picture()).any()
    assert (wet[0] != wet[3]).any()


def test_a_frame_keeps_the_drops_of_its_time_whenever_it_is_rendered(world):
    camera = WetCamera(Steady(), world, Turning(), rain())
    before = camera.read()
    world.drops = first = Drops.empty((60.0, 60.0)).sprayed(np.random.default_rng(1))
    wet = camera.read()
    world.drops = Drops.empty()
    after = camera.read()
    assert [frame.drops.count for frame in (after, wet, before)] == [0, len(first), 0]


def test_a_frame_keeps_the_pose_of_its_time_whatever_the_stage_does_next(world):
    stage = Turning()
    camera = WetCamera(Steady(), world, stage, rain())
    frames = [camera.read() for _ in range(3)]
    stage.pose_at = lambda time_s: Pose(99, 99, 99)  # it has forgotten its last path
    assert [frame.pose for frame in frames] == [Turning().pose_at(n / 30) for n in range(3)]


def test_a_copy_with_another_part_is_a_plain_frame(world):
    world.drops = Drops.empty((60.0, 60.0)).sprayed(np.random.default_rng(1))
    frame = WetCamera(Steady(), world, Turning(), rain()).read()
    copy = replace(frame, image=frame.image[:10])
    assert type(copy) is Frame
    assert (copy.image == frame.image[:10]).all()
    assert (copy.index, copy.timestamp_s, copy.pose, copy.drops) == (0, 0.0, frame.pose, frame.drops)


def test_it_is_rendered_once_however_many_ask(world, monkeypatch):
    rains = rain()
    camera = WetCamera(Steady(), world, Turning(), rains)
    world.drops = Drops.empty((60.0, 60.0)).sprayed(np.random.default_rng(1))
    frame, made = camera.read(), []
    over = rains.over
    monkeypatch.setattr(rains, "over", lambda *arguments: made.append(1) or over(*arguments))
    threads = [threading.Thread(target=lambda: frame.image) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert frame.pose is not None
    assert len(made) == 1


def test_a_stage_that_does_not_know_is_said_when_the_frame_is_looked_at(world):
    stage = Turning()
    stage.known = False
    frame = WetCamera(Steady(), world, stage, rain()).read()
    with pytest.raises(DeviceError, match="does not know where the plate was at frame 0"):
        _ = frame.image
    stage.known = True  # it has heard since
    assert frame.image.shape == (*SIZE, 3)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("kind: x11", "kind: x12", r"`camera.camera.kind`: .*'x11'"),
        ("left_px: 400", "left: 400", r"unknown key `camera.camera.left`; did you mean `left_px`"),
        ("kind: x11", "kind: wet", r"`camera.camera|a camera of kind wet"),
        ("  aperture_mm: 2.0", "  aperture_mm: 2.0\n  fps: 25", r"25 fps, of a camera with 30"),
        ("left_px: 400", "left_px: 500", r"picture reaches out of the camera's frame"),
        ("picture_px: 384", "picture_px: 600", r"picture reaches out of the camera's frame"),
    ],
)
def test_a_wrong_block_is_one_line(old, new, said):
    text = LOOPBACK.read_text()
    assert old in text
    with pytest.raises(ConfigError, match=said) as caught:
        parse_settings(text.replace(old, new, 1), RigSettings, where="rig.yaml")
    assert "\n" not in str(caught.value)
