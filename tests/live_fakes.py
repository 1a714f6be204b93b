"""A camera, a model and a sink for tests of the live loop."""

import threading
from collections.abc import Iterator, Sequence

import numpy as np

from edge.events import Event
from edge.prediction import Prediction
from edge.sinks import Observation
from edge.source import Shot
from natadv.images import Image
from rigs.frame import Frame
from rigs.geometry import ScreenGeometry, whole


class Camera:
    """A source whose clock counts frames: frame i is taken at second i, and a frame comes when `let` allows it.

    A real clock would make these tests a matter of luck.
    """

    def __init__(
        self,
        count: int,
        *,
        labels: tuple[str, ...] = (),
        step: int = 1,
        error: Exception | None = None,
        live: bool = False,
    ) -> None:
        self.count, self.labels, self.step, self.error, self.live = count, labels, step, error, live
        self.given = 0
        self._allowed = 1
        self._handed_on = 0
        self._changed = threading.Condition()

    def shots(self, stop: threading.Event) -> Iterator[Shot]:
        for number in range(self.count):
            with self._changed:
                while number >= self._allowed and not stop.is_set():
                    self._changed.wait(0.01)
                self.given = number + 1
            image = np.full((8, 6, 3), number % 256, np.uint8)
            label = self.labels[number % len(self.labels)] if self.labels else None
            yield Shot(Frame(image, number * self.step, float(number)), label)
            with self._changed:
                self._handed_on = number + 1
                self._changed.notify_all()
        if self.error is not None:
            raise self.error

    def let(self, count: int) -> None:
        """Let that many more frames come, and return when the last of them is in the mailbox."""
        with self._changed:
            self._allowed = min(self._allowed + count, self.count)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._handed_on == self._allowed, timeout=20)

    def picture(self, image: Image, size: tuple[int, int]) -> Image:
        return image

    def geometry(self, frame_size: tuple[int, ...]) -> ScreenGeometry:
        return whole((frame_size[0], frame_size[1]))

    def now_s(self) -> float:
        return float(self.given - 1)


class Model:
    """Takes as long as the camera needs for `slowness` frames."""

    labels = ("a", "b")
    described = "a fake"
    digest = "0" * 64
    input_size = (8, 6)

    def __init__(self, camera: Camera, slowness: int) -> None:
        self.camera, self.slowness = camera, slowness
        self.looked_at: list[int] = []
        self.abandoned = self.closed = False

    def prepare(self, images: Sequence[Image]) -> np.ndarray:
        return np.stack(images)

    def abandon(self) -> None:
        self.abandoned = True

    def close(self) -> None:
        self.closed = True

    def answer(self, frames: np.ndarray) -> list[Prediction]:
        (image,) = frames
        self.looked_at.append(int(image[0, 0, 0]))
        self.camera.let(self.slowness)
        return [Prediction("a", 0, 0.75, np.array([0.75, 0.25], np.float32))]


class Kept:
    """A sink that keeps everything; after `limit` nobody listens any more."""

    def __init__(self, limit: int | None = None) -> None:
        self.observations: list[Observation] = []
        self.events: list[Event] = []
        self.limit = limit

    def write(self, observation: Observation) -> None:
        if len(self.observations) == self.limit:
            raise BrokenPipeError
        self.observations.append(observation)

    def note(self, event: Event) -> None:
        self.events.append(event)
