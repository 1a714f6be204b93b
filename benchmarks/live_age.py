"""How old the live loop's news is, beside the least that a paced camera and a model of some speed allow."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.film import Nobody
from edge.live import Live, run
from edge.prediction import Prediction
from edge.slot import Slot
from edge.source import Shot
from rigs.frame import Frame
from rigs.geometry import ScreenGeometry, whole

SLOW_S = 0.048
FPS = 30.0


def measure() -> Iterator[dict[str, Any]]:
    """Yield the rows of this benchmark for benchmarks/results.json."""
    for which, slow_s in (("fast", 0.0), ("slow", SLOW_S)):
        yield _age_row(which, slow_s)


class Paced:
    """A camera of 30 frames a second whose frames cost nothing."""

    labels: tuple[str, ...] = ()
    live = True

    @contextmanager
    def open(self) -> Iterator["Paced"]:
        """Give itself."""
        yield self

    def shots(self, stop: threading.Event) -> Iterator[Shot]:
        """Yield noise, each frame at its time."""
        rng, begin_s = np.random.default_rng(0), time.monotonic()
        some = [rng.integers(0, 256, (480, 640, 3), np.uint8) for _ in range(8)]
        for index in range(10**9):
            due_s = begin_s + index / FPS
            if stop.wait(max(0.0, due_s - time.monotonic())):
                return
            yield Shot(Frame(some[index % 8], index, due_s))

    def picture(self, image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Return all of it."""
        return image

    def geometry(self, frame_size: tuple[int, ...]) -> ScreenGeometry:
        """Return all of it."""
        return whole((frame_size[0], frame_size[1]))

    def now_s(self) -> float:
        """Return the machine's time."""
        return time.monotonic()


class Sleeping:
    """A model that takes a time of its own, as one on another processor does."""

    labels = ("a",)
    described = "sleeps"
    digest = "0" * 64
    input_size = (64, 64)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def prepare(self, images: Any) -> Any:
        """Return frames of its size, at no cost."""
        return np.zeros((len(images), *self.input_size, 3), np.uint8)

    def answer(self, frames: Any) -> list[Prediction]:
        """Sleep."""
        time.sleep(self.seconds)
        return [Prediction("a", 0, 1.0, np.ones(1, np.float32))]

    def abandon(self) -> None:
        """Go on."""

    def close(self) -> None:
        """Do nothing."""


def _age_row(which: str, slow_s: float) -> dict[str, Any]:
    """Return how old the news is, beside the best that a camera of 30 a second and such a model allow."""
    summary = run(Live(Slot(Sleeping(slow_s))), Paced().open, [Nobody()], seconds=12)
    p50, p99 = (1e3 * float(np.percentile(summary.ages_s, part)) for part in (50, 99))
    # A model that is slower than the camera is free at any moment of a frame's life; a faster one waits for it.
    waits = (0.0, 0.0) if slow_s < 1 / FPS else (0.5 / FPS, 0.99 / FPS)
    ideal = [1e3 * (slow_s + wait_s) for wait_s in waits]
    return {
        "name": f"live_age_p50_{which}",
        "ratio": p50 / max(ideal[0], 1.0),
        "ours": p50,
        "reference": max(ideal[0], 1.0),
        "reference_name": "the least that this camera and model allow" if slow_s else "a millisecond",
        "unit": "ms",
        "better": "lower",
        "note": f"camera of {FPS:g} fps, model of {1e3 * slow_s:.0f} ms; p99 {p99:.1f} ms, ideal {ideal[1]:.1f};"
        f" {summary.skipped} of {summary.seen} frames skipped for newer ones",
    }
