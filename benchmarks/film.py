"""A film for the live benchmarks, a process that decodes it beside them, and a sink for nobody."""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event as Flag
from pathlib import Path

import av
import cv2
import numpy as np

from edge.events import Event
from edge.sinks import Observation
from natadv.images import resize
from rigs.video import play_video

FRAMES = 300


class Nobody:
    """A sink for nobody."""

    def write(self, observation: Observation) -> None:
        """Take it."""

    def note(self, event: Event) -> None:
        """Take it."""


def write_film(path: Path) -> Path:
    """Write a film of a textured picture that moves, with a sensor's noise."""
    rng = np.random.default_rng(0)
    scene = cv2.GaussianBlur(rng.integers(0, 256, (600, 900, 3), np.uint8), (0, 0), 5)
    scene = cv2.normalize(scene, None, 0, 255, cv2.NORM_MINMAX)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for number in range(FRAMES):
            left, top = number % 260, (number // 3) % 120
            clean = scene[top : top + 480, left : left + 640].astype(np.int16)
            noisy = np.clip(clean + rng.normal(0, 2, clean.shape), 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noisy, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@contextmanager
def decoded_beside(path: Path, size: tuple[int, int], fps: float) -> Iterator[None]:
    """Let another process decode a film and shrink its pictures to (height, width), so many a second, over and over."""
    context = multiprocessing.get_context("spawn")
    begun = context.Event()
    other = context.Process(target=_decode, args=(path, size, fps, begun), daemon=True)
    other.start()
    try:
        if not begun.wait(60):
            raise TimeoutError(f"{path}: the process that is to decode it does not begin")
        yield
    finally:
        other.terminate()
        other.join()


def _decode(path: Path, size: tuple[int, int], fps: float, begun: Flag) -> None:
    next_s = time.monotonic()
    while True:
        for _, image in play_video(path):
            resize(image, size)
            begun.set()
            next_s = max(next_s + 1 / fps, time.monotonic() - 1)  # a second's delay is made up for, not more
            time.sleep(max(0.0, next_s - time.monotonic()))
