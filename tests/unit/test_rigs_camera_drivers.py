"""Faults of the other cameras, each at what stands nearest to its device: an emulator, a local stream, a recording."""

import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from natadv.errors import ConfigError, ConnectError, DeviceError, FrameTimeoutError, SettingError
from rigs.camera.address import public
from rigs.camera.base import Camera
from rigs.camera.network import NetworkCameraSettings
from rigs.camera.pixels import to_rgb
from rigs.clock import RealClock
from rigs.drivers import settings_of
from rigs.room import Room
from tests.camera_bench import Bench, basler, genicam, picture, recorded_clip, recorded_video
from tests.streams import SIZE, mjpeg, rtsp


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def opened(block: dict[str, Any]) -> Camera:
    """Open the camera of a rig file's block."""
    driver = settings_of("camera", block).model_validate(block)
    return driver.open(Room(RealClock()), None)  # type: ignore[attr-defined,no-any-return]


def file_block(path: Path, **more: object) -> dict[str, Any]:
    return {"kind": "file", "path": str(path), "height_px": SIZE[0], "width_px": SIZE[1], **more}


# Recordings


def test_every_frame_of_a_clip_waits_to_be_read_with_its_pose_and_its_gaps(tmp_path: Path) -> None:
    clip = recorded_clip(tmp_path / "clip", 12, lost=(4, 5))
    camera = opened(file_block(clip, realtime=False))
    frames = [camera.read() for _ in range(10)]
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 6, 7, 8, 9, 10, 11]
    assert np.diff([frame.timestamp_s for frame in frames]) == pytest.approx(np.diff([f.index for f in frames]) / 30)
    assert all(np.array_equal(frame.image, picture(frame.index)) for frame in frames)
    assert frames[4].pose is not None
    assert (frames[4].pose.x_mm, frames[4].drops.count) == (0.6, 6)  # type: ignore[union-attr]
    with pytest.raises(DeviceError, match=r"clip: the recording is over; `repeat: true`"):
        camera.read()


def test_a_recording_that_repeats_goes_on_counting(tmp_path: Path) -> None:
    camera = opened(file_block(recorded_clip(tmp_path / "clip", 3), realtime=False, repeat=True))
    frames = [camera.read() for _ in range(8)]
    assert [frame.index for frame in frames] == list(range(8))
    assert np.diff([frame.timestamp_s for frame in frames]) == pytest.approx(1 / 30)
    assert np.array_equal(frames[7].image, picture(1))


def test_a_video_plays_in_real_time_and_ends(tmp_path: Path) -> None:
    camera = opened(file_block(recorded_video(tmp_path / "v.mkv", 9)))
    frames = []
    with pytest.raises(DeviceError, match="the recording is over"):
        while True:
            frames.append(camera.read())
    assert frames[-1].index == 8
    first = frames[0]
    expected = [first.timestamp_s + (frame.index - first.index) / 30 for frame in frames]
    assert [frame.timestamp_s for frame in frames] == pytest.approx(expected, abs=1.1e-3)  # mkv rounds to 1 ms
    assert all(np.array_equal(frame.image, picture(frame.index)) for frame in frames)
    camera.close()


@pytest.mark.parametrize(
    ("make", "more", "error", "said"),
    [
        (lambda p: p, {}, ConnectError, "no session's folder, clip's folder or video file"),
        (lambda p: p.write_text("no video"), {}, ConnectError, "not a readable video"),
        (lambda p: recorded_clip(p, 2), {"width_px": 65}, SettingError, "width_px 65 asked, 64 got"),
        (lambda p: recorded_clip(p, 2), {"fps": 25}, SettingError, "fps 25 asked, 30 got"),
        (lambda p: recorded_clip(p, 2).joinpath("video.avi").write_bytes(b"x"), {}, DeviceError, "torn"),
    ],
)
def test_what_is_no_such_recording_is_said(tmp_path: Path, make: Any, more: dict, error: type, said: str) -> None:
    path = tmp_path / "it"
    make(path)
    with pytest.raises(error, match=said) as caught:
        opened(file_block(path, realtime=False) | more).read()
    assert "\n" not in str(caught.value)


# Network cameras


def network_block(address: str, **more: object) -> dict[str, Any]:
    return {"kind": "network", "address": address, "height_px": SIZE[0], "width_px": SIZE[1], **more}


def test_a_stream_without_a_clock_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with mjpeg(500, fps=25) as address, caplog.at_level(logging.WARNING):
        camera = opened(network_block(address, fps=25))
        camera.read()
        camera.close()
    assert "tells no time; its frames are stamped as they arrive" in caplog.text


def test_a_stream_that_falls_silent_is_a_timeout() -> None:
    enough = threading.Event()
    with mjpeg(10_000, fps=30, then="silence", enough=enough) as address:
        camera = opened(network_block(address, timeout_s=0.8))
        camera.read()
        enough.set()
        with pytest.raises(FrameTimeoutError, match=r"no frame in 0\.8 s|broke off"):
            for _ in range(60):
                camera.read()
        camera.close()


def test_a_stream_that_is_cut_off_is_a_device_error() -> None:
    enough = threading.Event()
    with mjpeg(10_000, fps=30, enough=enough) as address:
        camera = opened(network_block(address))
        camera.read()
        enough.set()
        with pytest.raises(DeviceError, match=r"the stream ended|broke off"):
            for _ in range(60):
                camera.read()
        camera.close()


@pytest.mark.parametrize(
    ("more", "said"),
    [({"fps": 60}, "60 fps asked, frames come at"), ({"width_px": 32}, "32 × 48 pixels asked, frames have 64 × 48")],
)
def test_a_stream_that_is_another_than_asked_for_is_refused(more: dict[str, Any], said: str) -> None:
    with mjpeg(500, fps=30) as address, pytest.raises(SettingError, match=said):
        opened(network_block(address, **more))


def test_frames_that_an_rtsp_stream_lacks_are_counted() -> None:
    with rtsp(gap=10) as (address, options):
        camera = opened(network_block(address, options=options, fps=25) | {"timeout_s": 5})
        indices = [camera.read().index for _ in range(21)]
        camera.close()
    steps = np.diff(indices)
    assert set(steps.tolist()) == {1, 4}
    assert indices[-1] - indices[0] + 1 - len(indices) >= 6  # so many the session would note as lost


def test_a_password_is_never_printed() -> None:
    assert public("rtsp://me:secret@10.0.0.7:554/a?channel=2") == "rtsp://10.0.0.7:554/a?channel=2"
    assert public("http://10.0.0.7/a") == "http://10.0.0.7/a"
    assert public("http://10.0.0.7/@a") == "http://10.0.0.7/@a"
    assert public("holiday@home.mkv") == "holiday@home.mkv"


@pytest.mark.parametrize("password", ["se/cret", "se#cret", "se?cret", "se@cret", "[secret", "secret:"])
@pytest.mark.parametrize("begin", ["rtsp://", "rtsp:/", "rtsp:"])
def test_a_password_with_signs_that_should_be_escaped_is_not_printed_either(begin: str, password: str) -> None:
    assert public(f"{begin}me:{password}@camera/1") == f"{begin}camera/1"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://camera/1?user=me&password=secret&channel=2", "rtsp://camera/1?user=***&password=***&channel=2"),
        ("http://camera/v;PWD=secret;fps=5#token=secret", "http://camera/v;PWD=***;fps=5#token=***"),
        ("http://camera:80/v?secret", "http://camera:80/v?***"),
        ("http://camera/v?k=a/secret=/b?secret", "http://camera/v?k=***?***"),
        (
            "rtsp://camera/user=me&password=se&cret&channel=1&stream=0.sdp?",
            "rtsp://camera/user=***&password=***&***&channel=1&stream=0.sdp?",
        ),
        ("rtsp://camera/user=me_password=secret_channel=1/live", "rtsp://camera/user=***/live"),
        ("rtsp://me:secret@camera/1?token=secret", "rtsp://camera/1?token=***"),
    ],
)
def test_a_password_or_token_beside_the_host_is_not_printed_either(address: str, shown: str) -> None:
    assert public(address) == shown
    assert public(shown) == shown


def test_nor_is_it_kept_with_a_session_or_a_calibration() -> None:
    address = "rtsp://me:secret@camera/1?token=secret"
    settings = NetworkCameraSettings(kind="network", address=address, width_px=64, height_px=48, fps=25)
    assert settings.address == address
    assert settings.model_dump(mode="json")["address"] == "rtsp://camera/1?token=***"


# Basler's emulator, and the GenTL simulator


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"width_px": 5000}, r"Width 5000 asked, 1024 got \(.*Max = 4096"),
        ({"pixel_format": "BayerRG8", "gain": 99}, r"Gain 99.0 asked, .*got \(.*equal 48"),
        ({"white_balance": {"Red": 1.5}}, "has no BalanceRatioSelector; leave that setting out"),
        ({"features": {"ExposureTme": 3}}, "has no ExposureTme; leave that setting out"),
        ({"features": {"ExposureMode": "TriggerWdth"}}, r"ExposureMode TriggerWdth asked, Timed got"),
        ({"features": {"SensorWidth": 12}}, r"SensorWidth 12 asked, 4096 got"),
    ],
)
def test_what_a_basler_does_not_take_is_said(bench: Bench, more: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=f"^basler 0815-0000: {said}") as caught:
        opened(basler(bench) | more)
    assert "\n" not in str(caught.value)


def test_a_basler_that_is_not_there_is_said(bench: Bench) -> None:
    with pytest.raises(ConnectError, match=r"basler 123: not found \(Basler cameras there: 0815-0000\)"):
        opened(basler(bench) | {"serial": "123"})


def test_an_emulators_time_of_nought_is_none(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        camera = opened(basler(bench))
    before_s = RealClock().now_s()
    assert camera.read().timestamp_s > before_s - 1
    camera.close()
    assert "basler 0815-0000: tells no time" in caplog.text


def test_frames_that_a_basler_delivers_torn_are_gaps(bench: Bench) -> None:
    block = basler(bench) | {"fps": 25}
    camera = opened(block)
    before = camera.read().index
    nodes = camera._grabber._camera.GetNodeMap()  # type: ignore[attr-defined]
    nodes.GetNode("ForceFailedBufferCount").Value = 3
    nodes.GetNode("ForceFailedBuffer").Execute()
    indices = [before, *(camera.read().index for _ in range(12))]
    camera.close()
    assert max(np.diff(indices)) >= 4
    assert indices[-1] - indices[0] + 1 - len(indices) == camera.late + 3  # type: ignore[attr-defined]


def test_a_basler_that_stalls_is_a_timeout(bench: Bench) -> None:
    camera = opened(basler(bench) | {"timeout_s": 0.5})
    camera.read()
    camera._grabber._camera.GetNodeMap().GetNode("TriggerMode").Value = "On"  # type: ignore[attr-defined]
    with pytest.raises(FrameTimeoutError, match=r"basler 0815-0000: no frame in 0.5 s"):
        for _ in range(10):
            camera.read()
    camera.close()


@pytest.mark.parametrize(
    ("more", "error", "said"),
    [
        ({"serial": "9"}, ConnectError, r"genicam 9: not found \(cameras of this producer: 0, 1, 2\)"),
        ({"cti": "/nowhere/it.cti"}, ConnectError, "no such file; its maker's software brings the .cti"),
        ({"width_px": 9999}, SettingError, r"Width 9999 asked, \d+ got \(.*Max = 800"),
        ({"exposure_s": 0.01}, SettingError, "has no ExposureTime or ExposureTimeAbs; leave that setting out"),
        ({"pixel_format": "Mono12p"}, ConfigError, "pixel_format Mono12p: expected one of RGB8"),
        ({"pixel_format": "BGR8"}, SettingError, "PixelFormat BGR8 asked, RGBa8 got"),
    ],
)
def test_what_a_genicam_camera_does_not_take_is_said(
    bench: Bench, more: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        opened(genicam(bench) | more)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("BayerRG8", [[200, 0], [0, 0]]),
        ("BayerGR8", [[0, 200], [0, 0]]),
        ("BayerGB8", [[0, 0], [200, 0]]),
        ("BayerBG8", [[0, 0], [0, 200]]),
    ],
)
def test_red_is_red_by_every_bayer_pattern(name: str, rows: list[list[int]]) -> None:
    mosaic = np.tile(np.array(rows, np.uint8), (4, 4))
    image = to_rgb(name, mosaic.reshape(-1), (8, 8))
    assert image is not None
    assert image[3:5, 3:5].reshape(-1, 3).tolist() == [[200, 0, 0]] * 4


def test_a_buffer_of_the_wrong_length_is_torn_and_one_that_is_right_is_copied() -> None:
    pixels = np.zeros(8 * 8 * 3, np.uint8)
    assert to_rgb("RGB8", pixels[:-1], (8, 8)) is None
    image = to_rgb("RGB8", pixels, (8, 8))
    pixels[:] = 7
    assert image is not None
    assert image.max() == 0
