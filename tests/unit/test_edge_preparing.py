"""The reader makes what the model takes of a frame while the model works on the one before."""

import threading
from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
import pytest

from edge.live import Live, run
from edge.prediction import Prediction
from edge.sinks import Observation
from edge.slot import Slot
from edge.source import Shot
from edge.whole_frames import WholeFrames
from rigs.frame import Frame
from tests.live_fakes import Camera, Kept, Model


class Watched(Model):
    """A model that keeps who prepared what for it."""

    def __init__(self, camera: Camera, slowness: int, *, then: Model | None = None) -> None:
        super().__init__(camera, slowness)
        self.prepared: list[tuple[str, int]] = []
        self.live: Live | None = None
        self.then = then

    def prepare(self, images: list[np.ndarray]) -> np.ndarray:
        self.prepared.append((threading.current_thread().name, int(images[0][0, 0, 0])))
        return np.stack([image[: self.input_size[0], : self.input_size[1]] for image in images])

    def answer(self, frames: np.ndarray) -> list[Prediction]:
        assert frames.shape[1:3] == self.input_size
        if self.slowness:
            predictions = super().answer(frames)
        else:  # a recording's frames need nobody's leave
            self.looked_at.append(int(frames[0, 0, 0, 0]))
            predictions = [Prediction("a", 0, 1.0, np.ones(2, np.float32))]
        if self.then is not None and self.live is not None and self.live.slot.model is self:
            self.live.slot.put(self.then)
        return predictions


def looked_at(camera: Camera, model: Watched, *, every: bool = False) -> list[Observation]:
    kept = Kept()
    model.live = Live(Slot(model))
    run(model.live, lambda: nullcontext(camera), [kept], every=every)
    return kept.observations


def test_no_frame_is_prepared_twice_or_by_the_model_where_every_frame_is_wanted() -> None:
    camera = Camera(12)
    camera._allowed = 12
    model = Watched(camera, 0)
    seen = looked_at(camera, model, every=True)
    assert model.looked_at == list(range(12))
    assert model.prepared == [("reader", number) for number in range(12)]
    assert all(observation.stages.prepared_s > 0 for observation in seen)


def test_frames_that_a_slow_model_may_never_see_are_not_prepared() -> None:
    camera = Camera(101)
    model = Watched(camera, slowness=5)
    looked_at(camera, model)
    assert model.looked_at == list(range(0, 101, 5))
    # Of five new frames the reader makes the first, since the model might be quick; the model makes the last.
    assert len(model.prepared) <= 2 * len(model.looked_at)


def test_a_frame_made_for_a_model_of_another_size_is_made_anew() -> None:
    camera = Camera(6)
    other = Watched(camera, slowness=1)
    other.input_size = (4, 3)
    model = Watched(camera, slowness=1, then=other)
    looked_at(camera, model)
    assert model.looked_at == [0]
    assert other.looked_at == [1, 2, 3, 4, 5]
    assert ("reader", 1) in model.prepared
    assert ("model", 1) in other.prepared


class Stamping(WholeFrames):
    """Two frames, which take two seconds and one to come by its own clock; the second waits five for the model."""

    live, labels = False, ()

    def __init__(self) -> None:
        self.clock_s = 0.0
        self.asked, self.waits = threading.Event(), threading.Event()

    def shots(self, stop: threading.Event) -> Iterator[Shot]:
        for index, takes_s in enumerate((2.0, 1.0)):
            taken_s = self.clock_s
            self.clock_s += takes_s
            yield Shot(Frame(np.zeros((8, 6, 3), np.uint8), index, taken_s))
            assert self.asked.wait(20)
        self.waits.set()

    def now_s(self) -> float:
        return self.clock_s


def test_what_a_frame_takes_to_come_is_told_from_what_it_waits() -> None:
    camera, kept = Stamping(), Kept()

    class Busy(Model):
        def answer(self, frames: np.ndarray) -> list[Prediction]:
            if not camera.asked.is_set():
                camera.asked.set()
                assert camera.waits.wait(20)
                camera.clock_s += 5
            return [Prediction("a", 0, 1.0, np.ones(2, np.float32))]

    run(Live(Slot(Busy(Camera(0), 0))), lambda: nullcontext(camera), [kept])
    first, second = (one.stages for one in kept.observations)
    assert (first.captured_s, second.captured_s) == (2, 1)
    # By our own clock, which runs on: what preparing took is no waiting.
    assert first.queued_s + first.prepared_s == pytest.approx(0, abs=0.5)
    assert second.queued_s + second.prepared_s == pytest.approx(5, abs=0.5)
    assert list(second.named()) == ["captured", "queued", "prepared", "inferred", "published"]
    assert second.named()["captured"] == 1
