"""Network cameras for tests: a server of MJPEG over HTTP, and a sender of RTSP."""

import http.server
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np

from tests.free_port import free_port

SIZE = (48, 64)
RTSP_FPS = 25

# Sends 64x48 pictures at 25 a second, once the other side listens. `gap` leaves out three in a row, now and then.
_SENDER = """
import sys, time
import av
import numpy as np
address, gap = sys.argv[1], int(sys.argv[2])
for _ in range(200):
    try:
        container = av.open(address, "w", format="rtsp", options={"rtsp_transport": "tcp"})
        stream = container.add_stream("libx264", rate=25, options={"tune": "zerolatency", "g": "5"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        begin = time.monotonic()
        for number in range(1000):
            time.sleep(max(0, begin + number / 25 - time.monotonic()))
            if gap and number % gap in (1, 2, 3):
                continue
            picture = np.random.default_rng(number).integers(0, 256, (48, 64, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        break
    except (av.FFmpegError, OSError):
        time.sleep(0.1)
"""


def picture(number: int) -> np.ndarray:
    image = np.random.default_rng(0).integers(0, 60, (*SIZE, 3), np.uint8)
    image[:, : 4 * (number % 16)] += 150
    return image


@contextmanager
def mjpeg(count: int, *, then: str = "end", fps: float = 50, enough: threading.Event | None = None) -> Iterator[str]:
    """Serve so many JPEG images over HTTP as cameras do; then end, or keep the line and say nothing.

    Args:
        count: of images.
        then: `end` or `silence`.
        fps: images a second.
        enough: set it to have no more of them.
    """
    done = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            begin_s = time.monotonic()
            try:
                for number in range(count):
                    if enough is not None and enough.is_set():
                        break
                    data = cv2.imencode(".jpg", picture(number))[1].tobytes()
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    self.wfile.write(head.encode() + data + b"\r\n")
                    if done.wait(max(0, begin_s + (number + 1) / fps - time.monotonic())):
                        return
            except ConnectionError:
                return  # the reader has had enough
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


@contextmanager
def rtsp(*, gap: int = 0) -> Iterator[tuple[str, dict[str, str]]]:
    """Send a stream to whoever listens at the address with these options of FFmpeg.

    In a process of its own: PyAV holds Python's lock while it connects.
    """
    address = f"rtsp://127.0.0.1:{free_port()}/live"
    sender = subprocess.Popen([sys.executable, "-c", _SENDER, address, str(gap)])
    try:
        yield address, {"rtsp_flags": "listen", "listen_timeout": "20"}
    finally:
        sender.kill()
        sender.wait(20)
