"""A frame from before an outage, or one that waited too long, is not news: it is let go, not published."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import numpy as np

from edge.events import Event
from edge.live import Live, run
from edge.patience import Patience
from edge.prediction import Prediction
from edge.slot import Slot
from edge.source import Shot
from natadv.errors import DeviceError
from natadv.images import Image
from rigs.frame import Frame
from tests.live_fakes import Kept

RNG = np.random.default_rng(0)


class Camera:
    """Gives frames of the given ages, in seconds; before the n-th it waits as `before` says."""

    labels: tuple[str, ...] = ()
    live = True

    def __init__(self, ages_s: Iterator[float], before: Callable[[int], None] = lambda number: None) -> None:
        self.ages_s, self.before = ages_s, before
        self.opened = 0

    def shots(self, stop: threading.Event) -> Iterator[Shot]:
        self.opened += 1
        for number, age_s in enumerate(self.ages_s):
            self.before(number)
            if stop.is_set():
                return
            image = RNG.integers(0, 256, (8, 6, 3), np.uint8)
            yield Shot(Frame(image, number, self.now_s() - age_s))

    def picture(self, image: Image, size: tuple[int, int]) -> Image:
        return image

    def now_s(self) -> float:
        return time.monotonic()


class Model:
    """Answers; before its n-th answer it does what `before` says."""

    labels = ("a",)
    described = "a fake"
    digest = "0" * 64
    input_size = (8, 6)

    def __init__(self, before: Callable[[int], None] = lambda count: None) -> None:
        self.before, self.count = before, 0
        self.abandoned = threading.Event()

    def prepare(self, images: list[Image]) -> np.ndarray:
        return np.stack(images)

    def answer(self, frames: np.ndarray) -> list[Prediction]:
        self.count += 1
        self.before(self.count)
        return [Prediction("a", 0, 1.0, np.ones(1, np.float32))]

    def abandon(self) -> None:
        self.abandoned.set()

    def close(self) -> None: ...


class Ends(Kept):
    """Ends the run some moments after an event of a kind."""

    def __init__(self, live: Live, kind: str) -> None:
        super().__init__()
        self.live, self.kind = live, kind

    def note(self, event: Event) -> None:
        super().note(event)
        if event.kind == self.kind:
            threading.Timer(0.3, self.live.stop.set).start()


def test_what_a_model_that_hung_left_waiting_is_not_published_without_signal() -> None:
    """The camera dies while the model hangs; its last frame waits for the model that follows."""
    hangs = threading.Event()

    def dies(number: int) -> None:
        if number == 1:
            hangs.wait(20)
        if number == 2 or camera.opened > 1:
            raise DeviceError("camera 5: gone")

    def hang(count: int) -> None:
        hangs.set()
        first.abandoned.wait(20)
        raise DeviceError("terminated")

    first, camera = Model(hang), Camera(iter([0.0] * 99), dies)
    live = Live(Slot(first))
    kept = Ends(live, "restarted")
    summary = run(
        live,
        lambda: nullcontext(camera),
        [kept],
        seconds=20,
        patience=Patience(model_s=0.3),
        reopen=Model,
    )
    assert live.restarts == 1
    assert live.reception.reason == "camera 5: gone"
    assert kept.observations == []
    assert (summary.seen, summary.skipped) == (2, 1)


def test_an_answer_that_comes_after_the_signal_was_lost_is_not_published() -> None:
    asked = threading.Event()

    def dies(number: int) -> None:
        if number == 1:
            asked.wait(20)
            raise DeviceError("camera 5: gone")

    def slow(count: int) -> None:
        asked.set()
        while live.reception.reason is None:
            time.sleep(0.002)
        threading.Timer(0.2, live.stop.set).start()

    live = Live(Slot(Model(slow)))
    kept = Kept()
    summary = run(live, lambda: nullcontext(Camera(iter([0.0] * 9), dies)), [kept], seconds=20)
    assert kept.observations == []
    assert (summary.seen, summary.predicted, summary.skipped) == (1, 0, 1)


def test_a_frame_that_waited_too_long_is_not_looked_at() -> None:
    """The camera is silent, which nobody has called an outage yet, and the model comes back late."""
    given = threading.Event()

    def silent(number: int) -> None:
        if number == 1:
            given.wait(20)
        if number == 2:
            live.stop.wait(20)

    def slow(count: int) -> None:
        if count == 1:
            given.set()
            time.sleep(0.5)
            threading.Timer(0.3, live.stop.set).start()

    model = Model(slow)
    live = Live(Slot(model))
    kept = Kept()
    summary = run(live, lambda: nullcontext(Camera(iter([0.0] * 3), silent)), [kept], patience=Patience(age_s=0.2))
    assert model.count == 1
    assert (len(kept.observations), summary.seen, summary.skipped) == (1, 2, 1)


def test_a_source_whose_frames_come_too_old_has_no_signal_and_is_opened_anew() -> None:
    """As a stream that is decoded slower than it is sent: only a new connection makes it live again."""
    ages = iter([0.0] * 3 + [60.0] * 30 + [0.0] * 10**6)
    camera = Camera(ages, lambda number: time.sleep(0.002))
    live = Live(Slot(Model()))
    kept = Ends(live, "signal")
    summary = run(live, lambda: nullcontext(camera), [kept], seconds=20)
    assert camera.opened == 2
    assert summary.dead == 30
    assert [event.kind for event in kept.events if event.kind != "label"] == ["no-signal", "signal"]
    assert "frames are 60 s old when they come" in next(one.text for one in kept.events if one.kind == "no-signal")
    assert max(one.age_s for one in kept.observations) < 60
