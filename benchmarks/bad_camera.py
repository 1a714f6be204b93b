"""A network camera that fails as cameras do: `python -m benchmarks.bad_camera PORT` serves MJPEG over HTTP.

Every minute, or `--every` so many seconds, another fault, in turn: the connection breaks and is refused for a while;
the stream falls silent; frames are black; the same frame comes again and again; the picture has another size from now
on. With `--rtsp PORT` the same camera serves H.264 over RTSP too. GET /clock says for how many seconds it has run.
"""

import argparse
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import cv2
import numpy as np

from benchmarks.rtsp_server import RtspServer, access_units

FAULTS: Final = ("drop", "stall", "black", "frozen", "resolution")
EVERY_S: Final = 60.0
LASTS_S: Final = {"drop": 5.0, "stall": 12.0, "black": 4.0, "frozen": 4.0, "resolution": 0.0}
SIZES: Final = ((640, 480), (800, 600), (320, 240))
FPS: Final = {"http": 60.0, "rtsp": 30.0}
_KEPT: Final = 40  # pictures of each size, over and over; no two that follow are alike

Encode = Callable[[Sequence[np.ndarray]], list[bytes]]


class Camera:
    """What a camera shows at a moment, and what is wrong with it."""

    def __init__(self, begin_s: float, fps: float, encode: Encode, every_s: float = EVERY_S) -> None:
        """Take the pictures.

        Args:
            begin_s: when its clock began, by `time.monotonic`.
            fps: pictures a second.
            encode: pictures, RGB, as a film that can be begun anew at any time.
            every_s: from one fault to the next.
        """
        rng = np.random.default_rng(0)
        self._begin_s, self._fps, self._every_s = begin_s, fps, every_s
        self._films: dict[tuple[tuple[int, int], str], list[bytes]] = {}
        for width, height in SIZES:
            scene = cv2.GaussianBlur(rng.integers(0, 256, (height + _KEPT, width, 3), np.uint8), (0, 0), 7)
            scene = cv2.normalize(scene, None, 0, 255, cv2.NORM_MINMAX)
            views = [scene[row : row + height].astype(np.int16) for row in range(_KEPT)]
            noisy = [np.clip(view + rng.normal(0, 3, view.shape), 0, 255).astype(np.uint8) for view in views]
            looks = {"": noisy, "frozen": noisy[:1] * _KEPT, "black": [np.zeros_like(noisy[0])] * _KEPT}
            self._films |= {((width, height), look): encode(pictures) for look, pictures in looks.items()}

    @property
    def clock_s(self) -> float:
        """For how long it has run."""
        return time.monotonic() - self._begin_s

    def fault(self) -> str | None:
        """Return what is wrong now."""
        return fault_at(self.clock_s, every_s=self._every_s)

    def show(self) -> Iterator[bytes]:
        """Yield encoded pictures, each at its time, until the camera drops its viewers."""
        next_s, number, last = time.monotonic(), 0, None
        while (fault := self.fault()) != "drop":
            if fault != "stall":
                turn = int(self.clock_s // self._every_s)
                film = self._films[
                    SIZES[(turn // len(FAULTS)) % len(SIZES)], fault if fault in ("frozen", "black") else ""
                ]
                number, last = (number + 1 if film is last else 0), film
                yield film[number % len(film)]
            next_s = max(next_s + 1 / self._fps, time.monotonic())
            time.sleep(max(0.0, next_s - time.monotonic()))


def fault_of(turn: int) -> str:
    """Return what goes wrong at the begin of a turn, from 1."""
    return FAULTS[(turn - 1) % len(FAULTS)]


def fault_at(clock_s: float, least_s: float = 0.0, *, every_s: float = EVERY_S) -> str | None:
    """Return what is wrong at a moment of its clock; a fault that is over sooner is said for `least_s`."""
    turn, since_s = divmod(clock_s, every_s)
    kind = fault_of(int(turn))
    return kind if turn and since_s < max(LASTS_S[kind], least_s) else None


def jpegs(pictures: Sequence[np.ndarray]) -> list[bytes]:
    """Return pictures as JPEG; red and blue are exchanged, which is nothing to a film of noise."""
    return [bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]) for picture in pictures]


def serve(port: int, every_s: float = EVERY_S, rtsp_port: int | None = None) -> None:
    """Serve for ever."""
    begin_s = time.monotonic()
    if rtsp_port is not None:
        h264 = Camera(begin_s, FPS["rtsp"], access_units, every_s)
        server = RtspServer(rtsp_port, h264.show, lambda: h264.fault() == "drop")
        threading.Thread(target=server.serve_forever, daemon=True).start()
    camera = Camera(begin_s, FPS["http"], jpegs, every_s)

    class Handler(BaseHTTPRequestHandler):
        """One viewer."""

        def do_GET(self) -> None:  # http.server's name
            """Send frames until the camera drops its viewers."""
            if self.path == "/clock":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(f"{camera.clock_s:.3f}".encode())
                return
            if camera.fault() == "drop":
                return
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            try:
                for jpeg in camera.show():
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                    self.wfile.write(head.encode() + jpeg + b"\r\n")
            except (BrokenPipeError, ConnectionResetError):
                return

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    listening.daemon_threads = True
    listening.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--every", type=float, default=EVERY_S)
    parser.add_argument("--rtsp", type=int)
    given = parser.parse_args()
    serve(given.port, given.every, given.rtsp)
