"""Network cameras of live runs: a real stream on the loopback, its times, its silences, its password kept secret."""

import functools
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from edge import network
from edge.network import open_network
from edge.opening import open_source
from edge.source import Shot, SourceOptions
from natadv.errors import ConfigError, ConnectError, FrameTimeoutError
from rigs.camera.stream import open_stream
from tests.streams import mjpeg, rtsp


def shots(address: str, count: int) -> list[Shot]:
    stop, found = threading.Event(), []
    with open_network(address) as camera:
        for shot in camera.shots(stop):
            found.append(shot)
            if len(found) == count:
                break
    return found


def test_mjpeg_over_http_gives_frames_with_times_of_arrival() -> None:
    with mjpeg(60, fps=40) as address:
        before_s = time.monotonic()
        found = shots(address, 20)
    assert [shot.frame.index for shot in found] == list(range(20))
    assert found[5].frame.image.shape == (48, 64, 3)
    times = [shot.frame.timestamp_s for shot in found]
    assert before_s < times[0]
    assert times == sorted(times)
    # Not FFmpeg's invented 25 a second, that is 0.76 s: they came as fast as 40 a second or were there already.
    assert times[-1] - times[0] < 0.7


def test_a_stream_that_falls_silent_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "open_stream", functools.partial(open_stream, read_s=0.5))
    with (
        mjpeg(12, then="silence") as address,
        pytest.raises(FrameTimeoutError, match=r"fell silent for 0\.5 s after \d"),
    ):
        shots(address, 1000)


def test_a_stream_that_is_cut_off_gives_what_came() -> None:
    found = []
    with mjpeg(12) as address, open_network(address) as camera, pytest.raises(FrameTimeoutError, match="broke off"):
        for shot in camera.shots(threading.Event()):
            found.append(shot)
    assert 5 <= len(found) <= 12


def test_nobody_there_is_one_line_without_the_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ConnectError) as caught, open_network(f"rtsp://me:secret@127.0.0.1:{port}/live"):
        pass
    assert str(caught.value).startswith(f"rtsp://127.0.0.1:{port}/live: cannot be opened (")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_who_says_nothing_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rigs.camera.stream._OPEN_S", 0.5)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(ConnectError, match=r"cannot be opened \(no answer in time\)"),
        open_network(f"http://127.0.0.1:{server.getsockname()[1]}/video"),
    ):
        pass


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="addresses begin with rtsp://"):
        open_source("gopher://127.0.0.1/x", SourceOptions())
    with pytest.raises(ConfigError, match="leave --images out"):
        open_source("rtsp://127.0.0.1/x", SourceOptions(images=tmp_path))


def test_rtsp_gives_frames_by_its_own_clock() -> None:
    # FFmpeg is no RTSP server, but its reader can wait to be sent a stream.
    with rtsp() as (address, options), open_network(address, options=options) as camera:
        found = []
        for shot in camera.shots(threading.Event()):
            found.append((shot, camera.now_s()))
            if len(found) == 25:
                break
    steps = np.diff([shot.frame.timestamp_s for shot, _ in found])
    assert np.median(np.abs(steps - 0.04)) < 0.002  # the stream's clock, not the jitter of arrival
    assert all(shot.frame.timestamp_s <= now_s for shot, now_s in found)
