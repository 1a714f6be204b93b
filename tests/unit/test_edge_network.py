"""Network cameras: a real stream on the loopback, its times, its silences, and its password kept to itself."""

import http.server
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge import network
from edge.network import Clock, open_network, public
from edge.opening import open_source
from edge.source import Shot, SourceOptions
from natadv.errors import ConfigError, ConnectError, FrameTimeoutError

# Sends 64x48 pictures at 25 a second, once the other side listens.
SENDER = """
import sys, time
import av
import numpy as np
for _ in range(200):
    try:
        container = av.open(sys.argv[1], "w", format="rtsp", options={"rtsp_transport": "tcp"})
        stream = container.add_stream("libx264", rate=25, options={"tune": "zerolatency", "g": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(500):
            picture = np.random.default_rng(number).integers(0, 256, (48, 64, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
            time.sleep(0.04)
        break
    except (av.FFmpegError, OSError):
        time.sleep(0.1)
"""


def picture(number: int) -> np.ndarray:
    image = np.random.default_rng(0).integers(0, 60, (48, 64, 3), np.uint8)
    image[:, : 4 * (number % 16)] += 150
    return image


@contextmanager
def mjpeg(count: int, *, then: str = "end", fps: float = 50) -> Iterator[str]:
    """Serve so many JPEG images over HTTP as cameras do; then end, or keep the line and say nothing."""
    done = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            for number in range(count):
                data = cv2.imencode(".jpg", picture(number))[1].tobytes()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + b"\r\n")
                time.sleep(1 / fps)
            if then == "silence":
                done.wait(20)

        def log_message(self, format: str, *args: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/video"
    finally:
        done.set()
        server.shutdown()
        server.server_close()
        serving.join(20)


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
    monkeypatch.setattr(network, "_READ_S", 0.5)
    with mjpeg(12, then="silence") as address, pytest.raises(FrameTimeoutError, match="broke off after"):
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


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="addresses begin with rtsp://"):
        open_source("gopher://127.0.0.1/x", SourceOptions())
    with pytest.raises(ConfigError, match="leave --images out"):
        open_source("rtsp://127.0.0.1/x", SourceOptions(images=tmp_path))


def test_rtsp_gives_frames_by_its_own_clock() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    address = f"rtsp://127.0.0.1:{port}/live"
    # In a process of its own: PyAV holds Python's lock while it connects.
    sender = subprocess.Popen([sys.executable, "-c", SENDER, address])
    try:
        # FFmpeg is no RTSP server, but its reader can wait to be sent a stream.
        with open_network(address, options={"rtsp_flags": "listen", "listen_timeout": "20"}) as camera:
            found = []
            for shot in camera.shots(threading.Event()):
                found.append((shot, camera.now_s()))
                if len(found) == 25:
                    break
    finally:
        sender.kill()
        sender.wait(20)
    steps = np.diff([shot.frame.timestamp_s for shot, _ in found])
    assert np.median(np.abs(steps - 0.04)) < 0.002  # the stream's clock, not the jitter of arrival
    assert all(shot.frame.timestamp_s <= now_s for shot, now_s in found)


def test_a_frame_that_was_held_up_is_known_to_be_old() -> None:
    clock = Clock()
    assert clock.at(0.0, 100.30) == 100.30  # the first was held up too, as nobody can know yet
    assert clock.at(0.1, 100.20) == pytest.approx(100.20)
    assert clock.at(0.2, 100.30) == pytest.approx(100.30)
    assert clock.at(0.3, 101.40) == pytest.approx(100.40, abs=2e-3)
    assert clock.at(0.4, 101.41) == pytest.approx(100.50, abs=2e-3)


def test_a_stream_whose_clock_is_slow_is_followed() -> None:
    clock = Clock()
    ages = [100 + 1.0005 * second - clock.at(float(second), 100 + 1.0005 * second) for second in range(10_000)]
    assert max(ages) < 1e-2


def test_addresses_are_printed_without_passwords() -> None:
    assert public("rtsp://me:secret@10.0.0.7:554/a?b=c") == "rtsp://10.0.0.7:554/a?b=c"
    assert public("http://10.0.0.7/a") == "http://10.0.0.7/a"
