"""A camera that fails, falls silent or goes blind is no end of a live run, and no frame is made up meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from edge import supply
from edge.events import Event
from edge.live import Live, run
from edge.patience import Patience
from edge.prediction import Prediction
from edge.slot import Slot
from natadv.errors import ClipError, ConfigError, DeviceError, FrameTimeoutError
from natadv.images import Image
from tests.flaky_cameras import Counting, Flaky, Script, endless, frames, noise, published, silent, watched
from tests.live_fakes import Kept


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supply, "_FIRST_WAIT_S", 0.01)


def test_a_camera_that_fails_is_opened_until_it_is_back() -> None:
    kept = Kept()
    camera = Flaky(frames(3, FrameTimeoutError("camera 5: no frame after 3"), kept=kept), None, None, endless)
    summary, _, model, _ = watched(camera, 6, every=True, kept=kept)
    assert camera.openings == 4
    assert [event.kind for event in kept.events if event.kind != "label"] == ["no-signal", "signal"]
    assert kept.events[0].text == "camera 5: no frame after 3"
    assert len(model.seen) == summary.predicted == 6
    # The count goes on, and leaves one out where nobody knows what was missed.
    assert [one.shot.frame.index for one in kept.observations] == [0, 1, 2, 4, 5, 6]
    assert (summary.outages, summary.lost) == (1, 0)
    assert "1 times no signal" in str(summary)


def test_a_stream_that_ends_is_opened_again() -> None:
    kept = Kept()
    summary, _, _, _ = watched(Flaky(frames(2, kept=kept), endless), 4, every=True, kept=kept)
    assert (summary.predicted, kept.events[0].text) == (4, "the camera's frames ended")


@pytest.mark.parametrize(
    ("dead", "reason"),
    [
        (np.zeros((16, 24, 3), np.uint8), "of one colour (RGB 0, 0, 0)"),
        (np.full((16, 24, 3), (0, 0, 255), np.uint8), "of one colour (RGB 0, 0, 255)"),
        (noise(), "the same frame again and again"),
    ],
    ids=["black", "blue", "frozen"],
)
def test_dead_frames_are_never_looked_at(dead: Image, reason: str) -> None:
    def goes_blind(stop: threading.Event) -> Iterator[Image]:
        yield noise()
        yield dead
        published(kept, 2 if "again" in reason else 1, stop)
        for _ in range(20):
            yield dead.copy()
        yield from endless(stop)

    kept = Kept()
    summary, _, model, _ = watched(Flaky(goes_blind), 8, every=True, kept=kept)
    assert summary.dead == (20 if "again" in reason else 21)
    assert sum(np.array_equal(image, dead) for image in model.seen) == (1 if "again" in reason else 0)
    (lost,) = [event.text for event in kept.events if event.kind == "no-signal"]
    assert reason in lost
    assert summary.outages == 1


def test_a_source_that_repeats_one_frame_in_six_has_a_signal() -> None:
    """As a sensor of 25 a second does that is sent at 30: the repeated ones are not looked at, and that is all."""

    def repeats(stop: threading.Event) -> Iterator[Image]:
        for image in endless(stop):
            yield image
            for _ in range(4):
                yield noise()
            last = noise()
            yield last
            yield last.copy()

    class Unsure(Counting):
        def answer(self, frames: np.ndarray) -> list[Prediction]:
            (prediction,) = super().answer(frames)
            return [replace(prediction, confidence=0.1)]

    summary, kept, model, live = watched(Flaky(repeats), 60, every=True, model=Unsure(limit=60))
    assert summary.dead >= 9
    assert (summary.outages, len(model.seen), live.reception.reason) == (0, 60, None)
    # The window that alarms look back on is not begun anew by each of them.
    assert [event.kind for event in kept.events] == ["alarm"]
    assert not any(np.array_equal(one, other) for one, other in pairwise(model.seen))


def test_dead_frames_that_come_slowly_are_an_outage_by_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supply, "_DEAD", 10**9)
    monkeypatch.setattr(supply, "_DEAD_S", 0.05)

    def goes_blind(stop: threading.Event) -> Iterator[Image]:
        yield noise()
        while not live.reception.reason and not stop.is_set():
            yield np.zeros((16, 24, 3), np.uint8)
            stop.wait(0.01)
        yield from endless(stop)

    live = Live(Slot(Counting()))
    watched(Flaky(goes_blind), 4, live=live)
    assert live.reception.outages == 1


def test_a_camera_that_stays_blind_is_opened_anew() -> None:
    def blind(stop: threading.Event) -> Iterator[Image]:
        yield noise()
        while not stop.is_set():
            yield np.zeros((16, 24, 3), np.uint8)

    camera = Flaky(blind, endless)
    watched(camera, 5)
    assert camera.openings == 2


def test_a_camera_that_hangs_has_nothing_new_for_whoever_opens_it_anew() -> None:
    last = noise()

    def hangs(stop: threading.Event) -> Iterator[Image]:
        while not stop.is_set():
            yield last.copy()
            published(kept, 1, stop)

    kept = Kept()
    camera = Flaky(hangs, hangs, hangs, endless)
    summary, _, model, _ = watched(camera, 5, kept=kept)
    assert camera.openings == 4
    assert sum(np.array_equal(image, last) for image in model.seen) == 1
    assert summary.outages == 1
    assert [event.kind for event in kept.events if event.kind != "label"] == ["no-signal", "signal"]


def test_the_frames_of_a_recording_may_repeat() -> None:
    def still(_: threading.Event) -> Iterator[Image]:
        for _number in range(4):
            yield np.zeros((16, 24, 3), np.uint8)

    summary, _, _, _ = watched(Flaky(still, live=False), 10, every=True)
    assert (summary.predicted, summary.dead) == (4, 0)


def test_a_silent_camera_has_no_signal() -> None:
    class Ends(Kept):
        def note(self, event: Event) -> None:
            super().note(event)
            if event.kind == "no-signal":
                live.stop.set()

    kept = Ends()
    live = Live(Slot(Counting()))
    summary = run(live, Flaky(silent).open, [kept], seconds=20, patience=Patience(frame_s=0.2))
    assert summary.predicted == 1
    assert [event.text for event in kept.events if event.kind == "no-signal"] == ["no frame came for 0.2 s"]
    assert live.reception.reason == "no frame came for 0.2 s"


class Slow(Flaky):
    """A camera whose openings take `takes_s` each, and whose first frame some more."""

    def __init__(self, takes_s: float, *scripts: Script | None) -> None:
        super().__init__(*scripts)
        self.takes_s = takes_s

    @contextmanager
    def open(self) -> Iterator["Flaky"]:
        threading.Event().wait(self.takes_s)
        with super().open() as camera:
            yield camera


def later(stop: threading.Event) -> Iterator[Image]:
    stop.wait(0.3)
    yield from endless(stop)


def nothing(stop: threading.Event) -> Iterator[Image]:
    stop.wait(20)
    yield from ()


def test_an_opening_is_no_silence() -> None:
    """A stage that looks for its ends takes a minute; the camera's patience begins when it is there."""
    summary, kept, _, _ = watched(Slow(0.8, later), 5, patience=Patience(frame_s=0.5))
    assert summary.predicted == 5
    assert not [event for event in kept.events if event.kind == "no-signal"]


def test_a_camera_that_gives_nothing_after_a_slow_opening_is_an_error() -> None:
    with pytest.raises(FrameTimeoutError, match=r"no frame came for 0\.2 s"):
        watched(Slow(0.4, nothing), 5, patience=Patience(frame_s=0.2))


def test_who_gives_up_counts_the_openings_too() -> None:
    """Openings that succeed and give nothing are no signal."""
    camera = Flaky(frames(1, DeviceError("camera 5: gone")), frames(0))
    with pytest.raises(FrameTimeoutError, match=r"no signal for 0\.5 s \(camera 5: gone\)"):
        watched(camera, 10, patience=Patience(signal_s=0.5))
    assert camera.openings > 2


def test_who_ends_a_run_while_the_camera_is_away_has_no_error() -> None:
    class Away(Flaky):
        @contextmanager
        def open(self) -> Iterator["Flaky"]:
            if self.openings:
                live.stop.set()  # as SIGTERM does, while the driver tries
            with super().open() as camera:
                yield camera

    live = Live(Slot(Counting()))
    summary, _, _, _ = watched(Away(frames(3), None), 10, live=live)
    assert summary.outages == 1


def test_nor_has_who_ends_it_when_the_camera_falls_silent() -> None:
    def breaks(stop: threading.Event) -> Iterator[Image]:
        yield noise()
        stop.wait(20)
        raise FrameTimeoutError("camera 5: fell silent")

    live = Live(Slot(Counting()))
    live.reception.lost = lambda reason: live.stop.set()  # type: ignore[method-assign]
    assert watched(Flaky(breaks), 10, live=live, patience=Patience(frame_s=0.2))[0].predicted == 1


def test_a_rig_that_fails_while_it_is_closed_is_heard() -> None:
    class Wet(Flaky):
        @contextmanager
        def open(self) -> Iterator["Flaky"]:
            with super().open() as camera:
                yield camera
            raise DeviceError("sprayer: does not shut")

    with pytest.raises(DeviceError, match="does not shut"):
        watched(Wet(endless), 3)


def test_who_gives_up_says_why() -> None:
    with pytest.raises(FrameTimeoutError, match=r"no signal for 0\.5 s \(camera 5: gone\)"):
        watched(Flaky(frames(1, DeviceError("camera 5: gone")), None), 10, patience=Patience(signal_s=0.5))


@pytest.mark.parametrize(
    ("camera", "error"),
    [
        (Flaky(None), "cannot be opened"),
        (Flaky(frames(0)), "the camera's frames ended"),
        (Flaky(frames(0, ConfigError("rig: no such key"))), "no such key"),
        (Flaky(frames(0, ClipError("torn")), live=False), "torn"),
    ],
    ids=["missing", "empty", "misspelt", "torn"],
)
def test_before_the_first_frame_it_is_an_error(camera: Flaky, error: str) -> None:
    with pytest.raises((DeviceError, ConfigError, ClipError), match=error):
        watched(camera, 10)
    assert camera.openings == 1


def test_a_camera_that_is_blind_from_the_start_is_an_error() -> None:
    def blind(stop: threading.Event) -> Iterator[Image]:
        while not stop.is_set():
            yield np.zeros((16, 24, 3), np.uint8)

    with pytest.raises(FrameTimeoutError, match="of one colour"):
        watched(Flaky(blind), 10)


def test_a_torn_recording_is_an_error_though_it_began() -> None:
    with pytest.raises(ClipError, match="torn"):
        watched(Flaky(frames(3, ClipError("torn")), live=False), 10, every=True)


def test_the_waits_between_openings_grow() -> None:
    waits: list[float] = []

    class Patient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            if len(waits) == 14:
                self.set()
            return self.is_set()

    model = Counting()
    live = Live(Slot(model), Patient())
    run(live, Flaky(frames(1), None).open, [], seconds=20)
    assert waits[:4] == [0.01, 0.02, 0.04, 0.08]
    assert max(waits) == supply._LONGEST_WAIT_S
