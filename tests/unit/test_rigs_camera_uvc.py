"""USB cameras: the real linuxpy over a camera that is not there; see tests/fake_v4l2.py. No hardware was at hand."""

import itertools
import logging
import sys
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from natadv.errors import ConfigError, ConnectError, DeviceError, FrameTimeoutError, SettingError
from rigs.camera import uvc
from rigs.camera.live import LiveCamera
from rigs.camera.uvc import UvcCameraSettings, UvcGrabber
from rigs.camera.uvc_controls import EXPOSURE_100_US, EXPOSURE_AUTO, FOCUS, FOCUS_AUTO, GAIN
from rigs.camera.uvc_opencv import OpencvGrabber
from rigs.clock import RealClock
from rigs.discovery import Found, uvc_cameras
from rigs.room import Room
from tests.fake_v4l2 import MONOTONIC, START, TORN, FakeCamera, jpeg, v4l2

__all__ = ["v4l2"]  # a fixture


def settings(device: Path | str = "/dev/v4l/by-id/usb-fake-video-index0", **more: object) -> UvcCameraSettings:
    given: dict[str, object] = {"kind": "uvc", "device": device}
    given |= {"width_px": 64, "height_px": 48, "fps": 30, "exposure_s": 0.0167, "gain": 10}
    return UvcCameraSettings.model_validate(given | more)


def grabber(camera: FakeCamera, **more: object) -> UvcGrabber:
    return UvcGrabber(settings(camera.path, **more), RealClock(), "camera fake", camera.library)


def test_automatics_are_off_and_every_setting_is_written(v4l2: FakeCamera) -> None:
    camera = grabber(v4l2, white_balance_k=5000, focus=30)
    values = {number: control.value for number, control in v4l2.controls.items()}
    assert sorted(values.values()) == sorted([1, 167, 0, 10, 0, 5000, 0, 30])
    assert (values[EXPOSURE_AUTO], values[EXPOSURE_100_US], values[FOCUS_AUTO], values[FOCUS]) == (1, 167, 0, 30)
    assert (camera.info.fps, camera.exposure_s) == (30.0, pytest.approx(0.0167))
    # Controls after the stream began: some cameras forget them then.
    assert v4l2.log.index("S_EXT_CTRLS") > v4l2.log.index("STREAMON") > v4l2.log.index("S_PARM")
    camera.close()
    assert not v4l2.streaming


def test_what_is_left_out_stays_as_the_camera_has_it(v4l2: FakeCamera) -> None:
    camera = grabber(v4l2, exposure_s=None, gain=None)
    assert (v4l2.controls[EXPOSURE_AUTO].value, v4l2.controls[EXPOSURE_100_US].value) == (1, 250)
    assert (v4l2.controls[GAIN].value, camera.exposure_s) == (64, pytest.approx(0.025))
    camera.close()


@pytest.mark.parametrize(
    ("change", "more", "said"),
    [
        (lambda cam: None, {"gain": 300}, "gain 300 asked, 255 got"),
        (lambda cam: setattr(cam.controls[EXPOSURE_100_US], "deaf", True), {}, "exposure_s 0.0167 asked, 0.025 got"),
        (lambda cam: setattr(cam.controls[EXPOSURE_AUTO], "deaf", True), {}, "automatic exposure 1 asked, 3 got"),
        (lambda cam: cam.controls.pop(GAIN), {}, "has no gain; leave that setting out"),
        (lambda cam: cam.modes.pop(("MJPG", 64, 48)), {}, "width_px 64 asked, 320 got"),
        (lambda cam: cam.modes.update({("MJPG", 64, 48): (15,)}), {}, "fps 30 asked, 15 got"),
        (lambda cam: None, {"controls": {42: 1}}, "has no control 42"),
    ],
)
def test_what_the_camera_does_not_take_is_said_and_it_is_let_go(
    v4l2: FakeCamera, change: Any, more: dict[str, Any], said: str
) -> None:
    change(v4l2)
    with pytest.raises(SettingError, match=f"^camera fake: {said}") as caught:
        grabber(v4l2, **more)
    assert "\n" not in str(caught.value)
    assert not v4l2.streaming
    assert not v4l2.buffers


def test_a_camera_in_use_is_said(v4l2: FakeCamera) -> None:
    v4l2.busy = True
    with pytest.raises(ConnectError, match=r"cannot be opened \(.*busy\); is it in use\?"):
        grabber(v4l2)


@pytest.mark.parametrize(("flags", "half_s"), [(MONOTONIC | START, 0.00835), (MONOTONIC, -0.00835)])
def test_the_kernels_stamp_becomes_the_middle_of_the_exposure(v4l2: FakeCamera, flags: int, half_s: float) -> None:
    camera = grabber(v4l2)
    stamp_s = time.monotonic() - 0.05
    v4l2.give(jpeg(200), 17, stamp_s, flags=flags)
    grab = camera.grab(1.0)
    camera.close()
    assert grab is not None
    assert (grab.count, grab.clock) == (17, "rig")
    assert grab.taken_s == pytest.approx(stamp_s + half_s, abs=2e-3)
    assert grab.image[20, 20].astype(int) == pytest.approx(np.array([0, 100, 200]), abs=6)  # RGB of a BGR picture


def test_a_stamp_of_another_clock_is_placed_by_its_delay(v4l2: FakeCamera) -> None:
    camera = grabber(v4l2)
    v4l2.give(jpeg(1), 0, 12.5, flags=START)
    grab = camera.grab(1.0)
    camera.close()
    assert grab is not None
    assert (grab.taken_s, grab.clock) == (12.5, "device")


@pytest.mark.parametrize(
    ("data", "flags"), [(jpeg(9)[:-200], MONOTONIC), (b"", MONOTONIC), (jpeg(9), MONOTONIC | TORN)]
)
def test_torn_frames_are_left_out(v4l2: FakeCamera, data: bytes, flags: int) -> None:
    camera = grabber(v4l2)
    v4l2.give(data, 0, 1.0, flags=flags)
    assert camera.grab(1.0) is None
    v4l2.give(jpeg(9), 1, 1.1)
    assert camera.grab(1.0) is not None
    camera.close()


def test_yuyv_is_told_from_its_colours(v4l2: FakeCamera) -> None:
    camera = grabber(v4l2, pixel_format="YUYV")
    red = np.tile(np.array([76, 85, 76, 255], np.uint8), 48 * 32).tobytes()  # Y U Y V of (255, 0, 0), BT.601
    v4l2.give(red, 0, 1.0)
    grab = camera.grab(1.0)
    assert grab is not None
    assert grab.image[20, 20, 0] > 200
    assert grab.image[20, 20, 1:].max() < 30
    v4l2.give(red[:-2], 1, 1.1)
    assert camera.grab(1.0) is None
    camera.close()


def test_stalls_and_unplugging_come_through_the_camera(v4l2: FakeCamera) -> None:
    camera = LiveCamera(grabber(v4l2), RealClock(), name="camera fake", timeout_s=0.3, warm_up_s=0)
    with pytest.raises(FrameTimeoutError, match=r"no frame in 0\.3 s"):
        camera.read()
    v4l2.give(jpeg(5), 3, time.monotonic())
    v4l2.give(jpeg(5), 5, time.monotonic() + 0.03)
    assert camera.read().index in (0, 2)
    v4l2.unplug()
    with pytest.raises(DeviceError, match="camera fake: was unplugged"):
        for _ in range(3):
            camera.read()
    camera.close()
    camera.close()


def test_a_rig_opens_it_and_every_frame_has_the_kernels_time(v4l2: FakeCamera) -> None:
    enough = threading.Event()
    begin_s = time.monotonic()

    def feed() -> None:
        for count in itertools.count():
            if enough.wait(max(0.0, begin_s + count / 30 - time.monotonic())):
                return
            v4l2.give(jpeg(count % 250), count, begin_s + count / 30)

    feeding = threading.Thread(target=feed)
    feeding.start()
    try:
        camera = settings(v4l2.path).open(Room(RealClock()), None)  # type: ignore[arg-type]
        frames = [camera.read() for _ in range(5)]
        camera.close()
    finally:
        enough.set()
        feeding.join()
    for frame in frames:
        assert frame.timestamp_s == pytest.approx(begin_s + frame.index / 30 + 0.00835, abs=2e-4)


def test_a_name_that_may_be_another_cameras_tomorrow_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConnectError, match="is not there; natadv rig list"):
        settings().open(Room(RealClock()), None)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING), pytest.raises(ConnectError):
        settings("/dev/null").open(Room(RealClock()), None)  # type: ignore[arg-type]
    assert "may be another camera's tomorrow" in caplog.text


def test_without_linuxpy_nothing_falls_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "linuxpy.video.device", None)
    device = tmp_path / "usb-fake-video-index0"
    device.touch()
    with pytest.raises(ConnectError, match=r"needs linuxpy: in natadv's checkout, pip install '.\[uvc\]'"):
        settings(device).open(Room(RealClock()), None)  # type: ignore[arg-type]


def test_the_numbers_are_linuxs(v4l2: FakeCamera) -> None:
    numbers, flags = v4l2.library.ControlID, v4l2.library.BufferFlag
    assert (numbers.EXPOSURE_AUTO, numbers.EXPOSURE_ABSOLUTE) == (EXPOSURE_AUTO, EXPOSURE_100_US)
    assert (numbers.GAIN, numbers.FOCUS_AUTO) == (GAIN, FOCUS_AUTO)
    assert (flags.ERROR, flags.TIMESTAMP_MONOTONIC, flags.TSTAMP_SRC_SOE) == (uvc._TORN, uvc._MONOTONIC, START)


def test_it_is_listed_with_what_it_can_do(v4l2: FakeCamera) -> None:
    (found,) = uvc_cameras(v4l2.path.parent)
    assert isinstance(found, Found)
    assert (found.name, found.block["device"]) == ("Maker Cam 1", str(v4l2.path))
    assert (found.block["width_px"], found.block["pixel_format"], found.block["fps"]) == (64, "MJPG", 30)
    assert "MJPG 320 × 240 at 15" in found.note
    camera = UvcGrabber(UvcCameraSettings.model_validate(found.block), RealClock(), "camera fake", v4l2.library)
    assert camera.info.fps == 30
    camera.close()


class Video:
    """Stands for cv2.VideoCapture; `deaf` properties keep what they have."""

    def __init__(self, *, deaf: tuple[int, ...] = (), opens: bool = True) -> None:
        self.values: dict[int, float] = {cv2.CAP_PROP_AUTO_EXPOSURE: 3, cv2.CAP_PROP_AUTOFOCUS: 1}
        self.deaf, self.opens, self.released, self.left = deaf, opens, False, 2

    def isOpened(self) -> bool:
        return self.opens

    def set(self, prop: int, value: float) -> bool:
        if prop not in self.deaf:
            self.values[prop] = value
        return True

    def get(self, prop: int) -> float:
        return self.values.get(prop, -1.0)

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        return (True, np.full((48, 64, 3), (255, 0, 0), np.uint8)) if self.left >= 0 else (False, None)

    def release(self) -> None:
        self.released = True


def test_opencv_alone_locks_and_reads_back_too() -> None:
    video = Video()
    camera = OpencvGrabber(settings(), RealClock(), "camera fake", connect=lambda *_: video)
    assert video.values[cv2.CAP_PROP_AUTO_EXPOSURE] == 1
    assert video.values[cv2.CAP_PROP_AUTOFOCUS] == 0
    assert cv2.CAP_PROP_AUTO_WB not in video.values  # this camera has none
    assert video.values[cv2.CAP_PROP_EXPOSURE] == 167
    grab = camera.grab(0.1)
    assert (grab.image[0, 0].tolist(), grab.count, grab.taken_s) == ([0, 0, 255], None, None)
    camera.grab(0.1)
    with pytest.raises(DeviceError, match="gave no frame"):
        camera.grab(0.1)


@pytest.mark.parametrize(
    ("video", "more", "error", "said"),
    [
        (Video(deaf=(cv2.CAP_PROP_EXPOSURE,)), {}, SettingError, r"exposure_s / 100 µs 167 asked, -1 got"),
        (Video(deaf=(cv2.CAP_PROP_AUTOFOCUS,)), {}, SettingError, r"automatic focus 0 asked, 1 got"),
        (Video(deaf=(cv2.CAP_PROP_FPS,)), {}, SettingError, r"fps 30 asked, -1 got"),
        (Video(opens=False), {}, ConnectError, r"cannot be opened"),
        (Video(), {"controls": {7: 1}}, ConfigError, r"`controls` need `backend: linuxpy`"),
    ],
)
def test_opencv_alone_hides_nothing(video: Video, more: dict, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        OpencvGrabber(settings(**more), RealClock(), "camera fake", connect=lambda *_: video)
    assert video.released or more
