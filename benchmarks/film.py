"""A film for the live benchmarks, and a sink for nobody."""

from pathlib import Path

import av
import cv2
import numpy as np

from edge.events import Event
from edge.sinks import Observation

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
