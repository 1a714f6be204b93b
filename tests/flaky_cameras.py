"""Cameras that fail, hang or fall silent as a script says, and a live run that looks through them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from edge.live import Live, run
from edge.patience import Patience
from edge.prediction import Prediction
from edge.slot import Slot
from edge.source import Shot
from edge.summary import Summary
from natadv.errors import ConnectError
from natadv.images import Image
from rigs.frame import Frame
from tests.live_fakes import Kept

Script = Callable[[threading.Event], Iterator[Image]]


class Flaky:
    """A camera that behaves at its n-th opening as the n-th script says; None: it cannot be opened."""

    labels: tuple[str, ...] = ()

    def __init__(self, *scripts: Script | None, live: bool = True) -> None:
        self.scripts, self.live = list(scripts), live
        self.openings = 0

    @contextmanager
    def open(self) -> Iterator["Flaky"]:
        script = self.scripts[min(self.openings, len(self.scripts) - 1)]
        self.openings += 1
        if script is None:
            raise ConnectError("camera 5: cannot be opened")
        self._script = script
        yield self

    def shots(self, stop: threading.Event) -> Iterator[Shot]:
        for index, image in enumerate(self._script(stop)):
            yield Shot(Frame(image, index, 0.0))

    def picture(self, image: Image, size: tuple[int, int]) -> Image:
        return image

    def now_s(self) -> float:
        return 0.0


class Counting:
    """A model that keeps what it was shown, and ends the run after `limit`."""

    labels = ("a",)
    described = "a fake"
    digest = "0" * 64
    input_size = (8, 6)

    def __init__(self, live: Live | None = None, limit: int = 10**9) -> None:
        self.live, self.limit = live, limit
        self.seen: list[Image] = []

    def prepare(self, images: list[Image]) -> np.ndarray:
        return np.stack(images)

    def answer(self, frames: np.ndarray) -> list[Prediction]:
        self.seen.append(frames[0])
        if self.live is not None and len(self.seen) >= self.limit:
            self.live.stop.set()
        return [Prediction("a", 0, 1.0, np.ones(1, np.float32))]

    def abandon(self) -> None: ...

    def close(self) -> None: ...


RNG = np.random.default_rng(0)


def noise() -> Image:
    return RNG.integers(0, 256, (16, 24, 3), np.uint8)


def published(kept: Kept, count: int, stop: threading.Event) -> None:
    """Wait for so many observations, as a camera does whose frames have time between them."""
    while len(kept.observations) < count and not stop.wait(0.002):
        pass


def frames(count: int, then: Exception | None = None, *, kept: Kept | None = None) -> Script:
    """Give so many frames, then fail or end; with `kept`, when they were published."""

    def script(stop: threading.Event) -> Iterator[Image]:
        for _number in range(count):
            yield noise()
        if kept is not None:
            published(kept, count, stop)
        if then is not None:
            raise then

    return script


def endless(stop: threading.Event) -> Iterator[Image]:
    while not stop.wait(0.002):
        yield noise()


def silent(stop: threading.Event) -> Iterator[Image]:
    yield noise()
    stop.wait(20)


def watched(
    camera: Flaky,
    limit: int,
    *,
    model: Counting | None = None,
    live: Live | None = None,
    kept: Kept | None = None,
    **options: object,
) -> tuple[Summary, Kept, Counting, Live]:
    kept = kept or Kept()
    model = model or Counting(limit=limit)
    live = live or Live(Slot(model))
    live.slot.model, model.live = model, live
    options.setdefault("patience", Patience(frame_s=5))
    summary = run(live, camera.open, [kept], seconds=20, **options)  # type: ignore[arg-type]
    return summary, kept, model, live
