"""A network camera that fails as cameras do: `python -m benchmarks.bad_camera PORT [EVERY_S]` serves MJPEG over HTTP.

Every minute, or every EVERY_S seconds, another fault, in turn: the connection breaks and is refused for a while; the
stream falls silent; frames are black; the same frame comes again and again; the picture has another size from now on.
GET /clock says for how many seconds it has run.
"""

import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import cv2
import numpy as np

FAULTS: Final = ("drop", "stall", "black", "frozen", "resolution")
EVERY_S: Final = 60.0
LASTS_S: Final = {"drop": 5.0, "stall": 12.0, "black": 4.0, "frozen": 4.0, "resolution": 0.0}
SIZES: Final = ((640, 480), (800, 600), (320, 240))
FPS: Final = 60.0
_KEPT: Final = 40  # pictures of each size, over and over; no two that follow are alike


class World:
    """What the camera shows at a moment, and what is wrong with it."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        rng = np.random.default_rng(0)
        self._every_s = every_s
        self._begin_s = time.monotonic()
        self._pictures: dict[tuple[int, int], list[bytes]] = {}
        self._black: dict[tuple[int, int], bytes] = {}
        for width, height in SIZES:
            scene = cv2.GaussianBlur(rng.integers(0, 256, (height + _KEPT, width, 3), np.uint8), (0, 0), 7)
            scene = cv2.normalize(scene, None, 0, 255, cv2.NORM_MINMAX)
            views = [scene[row : row + height].astype(np.int16) for row in range(_KEPT)]
            noisy = [np.clip(view + rng.normal(0, 3, view.shape), 0, 255).astype(np.uint8) for view in views]
            self._pictures[width, height] = [_jpeg(view) for view in noisy]
            self._black[width, height] = _jpeg(np.zeros((height, width, 3), np.uint8))

    @property
    def clock_s(self) -> float:
        """For how long it has run."""
        return time.monotonic() - self._begin_s

    def fault(self) -> str | None:
        """Return what is wrong now."""
        return fault_at(self.clock_s, every_s=self._every_s)

    def picture(self, number: int, *, frozen: bool, black: bool) -> bytes:
        """Return a JPEG of the present size."""
        turn = int(self.clock_s // self._every_s)
        size = SIZES[(turn // len(FAULTS)) % len(SIZES)]
        return self._black[size] if black else self._pictures[size][0 if frozen else number % _KEPT]


def fault_of(turn: int) -> str:
    """Return what goes wrong at the begin of a turn, from 1."""
    return FAULTS[(turn - 1) % len(FAULTS)]


def fault_at(clock_s: float, least_s: float = 0.0, *, every_s: float = EVERY_S) -> str | None:
    """Return what is wrong at a moment of its clock; a fault that is over sooner is said for `least_s`."""
    turn, since_s = divmod(clock_s, every_s)
    kind = fault_of(int(turn))
    return kind if turn and since_s < max(LASTS_S[kind], least_s) else None


def _jpeg(image: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1])


def serve(port: int, every_s: float = EVERY_S) -> None:
    """Serve for ever."""
    world = World(every_s)

    class Handler(BaseHTTPRequestHandler):
        """One viewer."""

        def do_GET(self) -> None:  # http.server's name
            """Send frames until the camera drops its viewers."""
            if self.path == "/clock":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(f"{world.clock_s:.3f}".encode())
                return
            if world.fault() == "drop":
                return
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            next_s = time.monotonic()
            number = 0
            try:
                while (fault := world.fault()) != "drop":
                    if fault != "stall":
                        jpeg = world.picture(number, frozen=fault == "frozen", black=fault == "black")
                        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                        self.wfile.write(head.encode() + jpeg + b"\r\n")
                        number += 1
                    next_s = max(next_s + 1 / FPS, time.monotonic())
                    time.sleep(max(0.0, next_s - time.monotonic()))
            except (BrokenPipeError, ConnectionResetError):
                return

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    serve(int(sys.argv[1]), *(float(given) for given in sys.argv[2:]))
