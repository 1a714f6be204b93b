"""USB cameras against a fake of linuxpy's device: no such camera was at hand."""

import logging
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from natadv.errors import ConfigError, ConnectError, DeviceError, FrameTimeoutError, SettingError
from rigs.camera import uvc
from rigs.camera.live import LiveCamera
from rigs.camera.uvc import UvcCameraSettings, UvcGrabber
from rigs.camera.uvc_controls import EXPOSURE_100_US, EXPOSURE_AUTO, FOCUS_AUTO, GAIN
from rigs.camera.uvc_opencv import OpencvGrabber
from rigs.clock import RealClock
from rigs.room import Room
from tests.fake_v4l2 import MONOTONIC, START, TORN, Library, jpeg


def settings(**more: object) -> UvcCameraSettings:
    given = {
        "kind": "uvc",
        "device": "/dev/v4l/by-id/usb-fake-video-index0",
        "width_px": 64,
        "height_px": 48,
        "fps": 30,
    }
    return UvcCameraSettings.model_validate(given | {"exposure_s": 0.0167, "gain": 10} | more)


def grabber(library: Library, **more: object) -> UvcGrabber:
    return UvcGrabber(settings(**more), RealClock(), "camera fake", library)


def test_automatics_are_off_and_every_setting_is_written() -> None:
    library = Library()
    camera = grabber(library, white_balance_k=5000, focus=30)
    values = {number: control.value for number, control in library.controls.items()}
    assert sorted(values.values()) == sorted([1, 167, 0, 10, 0, 5000, 0, 30])
    assert (values[EXPOSURE_AUTO], values[EXPOSURE_100_US], values[FOCUS_AUTO]) == (1, 167, 0)
    assert (camera.info.fps, camera.exposure_s) == (30.0, pytest.approx(0.0167))
    assert library.log == ["open", "stream on"]  # controls after the stream began: some cameras forget them then


@pytest.mark.parametrize(
    ("change", "more", "said"),
    [
        (lambda lib: None, {"gain": 300}, "gain 300 asked, 255 got"),
        (lambda lib: setattr(lib.controls[EXPOSURE_100_US], "deaf", True), {}, "exposure_s 0.0167 asked, 0.025 got"),
        (lambda lib: setattr(lib.controls[EXPOSURE_AUTO], "deaf", True), {}, "automatic exposure 1 asked, 3 got"),
        (lambda lib: lib.controls.pop(GAIN), {}, "has no gain; leave that setting out"),
        (lambda lib: lib.sizes.clear(), {}, "width_px 64 asked, 320 got"),
        (lambda lib: setattr(lib, "rates", (15,)), {}, "fps 30 asked, 15 got"),
        (lambda lib: None, {"controls": {42: 1}}, "has no control 42"),
    ],
)
def test_what_the_camera_does_not_take_is_said_and_it_is_let_go(change, more: dict, said: str) -> None:
    library = Library()
    change(library)
    with pytest.raises(SettingError, match=f"^camera fake: {said}") as caught:
        grabber(library, **more)
    assert "\n" not in str(caught.value)
    assert library.log[-1] == "close"


def test_a_camera_in_use_is_said() -> None:
    library = Library()
    library.busy = True
    with pytest.raises(ConnectError, match=r"cannot be opened \(.*busy\); is it in use\?"):
        grabber(library)


@pytest.mark.parametrize(("flags", "half_s"), [(MONOTONIC | START, 0.00835), (MONOTONIC, -0.00835)])
def test_the_kernels_stamp_becomes_the_middle_of_the_exposure(flags: int, half_s: float) -> None:
    library = Library()
    camera = grabber(library)
    stamp_s = time.monotonic() - 0.05
    library.give(jpeg(200), 17, stamp_s, flags=flags)
    grab = camera.grab(1.0)
    assert grab is not None
    assert (grab.count, grab.clock) == (17, "rig")
    assert grab.taken_s == pytest.approx(stamp_s + half_s, abs=2e-3)
    assert grab.image[20, 20].astype(int) == pytest.approx(np.array([0, 100, 200]), abs=6)  # RGB of a BGR picture


def test_a_stamp_of_another_clock_is_placed_by_its_delay() -> None:
    library = Library()
    camera = grabber(library)
    library.give(jpeg(1), 0, 12.5, flags=START)
    grab = camera.grab(1.0)
    assert grab is not None
    assert (grab.taken_s, grab.clock) == (12.5, "device")


@pytest.mark.parametrize(
    ("data", "flags"), [(jpeg(9)[:-200], MONOTONIC), (b"", MONOTONIC), (jpeg(9), MONOTONIC | TORN)]
)
def test_torn_frames_are_left_out(data: bytes, flags: int) -> None:
    library = Library()
    camera = grabber(library)
    library.give(data, 0, 1.0, flags=flags)
    assert camera.grab(1.0) is None
    library.give(jpeg(9), 1, 1.1)
    assert camera.grab(1.0) is not None


def test_yuyv_is_told_from_its_colours() -> None:
    library = Library()
    camera = grabber(library, pixel_format="YUYV")
    red = np.tile(np.array([76, 85, 76, 255], np.uint8), 48 * 32).tobytes()  # Y U Y V of (255, 0, 0), BT.601
    library.give(red, 0, 1.0)
    grab = camera.grab(1.0)
    assert grab is not None
    assert grab.image[20, 20, 0] > 200
    assert grab.image[20, 20, 1:].max() < 30
    library.give(red[:-2], 1, 1.1)
    assert camera.grab(1.0) is None


def test_stalls_and_unplugging_come_through_the_camera() -> None:
    library = Library()
    camera = LiveCamera(grabber(library), RealClock(), name="camera fake", timeout_s=0.3, warm_up_s=0)
    with pytest.raises(FrameTimeoutError, match=r"no frame in 0\.3 s"):
        camera.read()
    library.give(jpeg(5), 3, time.monotonic())
    library.give(jpeg(5), 5, time.monotonic() + 0.03)
    assert camera.read().index in (0, 2)
    library.unplug()
    with pytest.raises(DeviceError, match="camera fake: was unplugged"):
        for _ in range(3):
            camera.read()
    camera.close()
    assert library.log[-1] == "close"


def test_a_name_that_may_be_another_cameras_tomorrow_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConnectError, match="is not there; natadv rig list"):
        settings().open(Room(RealClock()), None)  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING), pytest.raises((ConnectError, SettingError, DeviceError)):
        settings(device="/dev/null").open(Room(RealClock()), None)  # type: ignore[arg-type]
    assert "may be another camera's tomorrow" in caplog.text


def test_without_linuxpy_nothing_falls_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "linuxpy.video.device", None)
    device = tmp_path / "usb-fake-video-index0"
    device.touch()
    with pytest.raises(ConnectError, match=r"needs linuxpy: in natadv's checkout, pip install '.\[uvc\]'"):
        settings(device=device).open(Room(RealClock()), None)  # type: ignore[arg-type]


def test_the_real_linuxpy_has_what_we_call() -> None:
    library = pytest.importorskip("linuxpy.video.device")
    assert {"open", "close", "fileno"} <= set(dir(library.Device))
    assert {"set_format", "get_format", "set_fps", "get_fps", "open", "close"} <= set(dir(library.VideoCapture))
    assert {"raw_read"} <= set(dir(library.MemoryMap))
    assert {"frame_nb", "timestamp", "flags", "data"} <= set(dir(library.Frame))
    numbers = library.ControlID
    assert (numbers.EXPOSURE_AUTO, numbers.EXPOSURE_ABSOLUTE) == (EXPOSURE_AUTO, EXPOSURE_100_US)
    assert (numbers.GAIN, numbers.FOCUS_AUTO) == (GAIN, FOCUS_AUTO)
    flags = library.BufferFlag
    assert (flags.ERROR, flags.TIMESTAMP_MONOTONIC, flags.TSTAMP_SRC_SOE) == (uvc._TORN, uvc._MONOTONIC, START)


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
