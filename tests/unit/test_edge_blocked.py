"""A reader that its driver does not give back is left behind, and another one goes on; not for ever."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from edge import readers
from edge.live import Live, run
from edge.patience import Patience
from edge.slot import Slot
from edge.source import Shot
from natadv.errors import ConnectError, DeviceError, FrameTimeoutError, NatadvError
from natadv.images import Image
from rigs.frame import Frame
from tests.live_fakes import Kept
from tests.unit.test_edge_outages import Counting, Flaky, noise, silent

PATIENCE = Patience(frame_s=0.05, driver_s=0.2, readers=2)


class Holding:
    """A camera whose driver holds whoever opens it (`opens`) or reads it (`reads`), at the openings that these name."""

    labels: tuple[str, ...] = ()
    live = True

    def __init__(
        self, *, opens: range = range(0), reads: range = range(0), gone_after: int | None = None, frames: int = 3
    ) -> None:
        self.opens, self.reads, self.gone_after, self.frames = opens, reads, gone_after, frames
        self.openings = self.closed = 0
        self.let_go = threading.Event()
        self.comes_back = False  # whether an opening frees whoever was held before

    @contextmanager
    def open(self) -> Iterator["Holding"]:
        number = self.openings
        self.openings += 1
        if self.comes_back:
            self.let_go.set()
            self.let_go = threading.Event()
        if number in self.opens:
            self.let_go.wait(20)
        if self.gone_after is not None and number >= self.gone_after:
            raise ConnectError("camera 5: busy")
        self._number = number
        try:
            yield self
        finally:
            self.closed += 1

    def shots(self, stop: threading.Event) -> Iterator[Shot]:
        holds, let_go = self._number in self.reads, self.let_go
        for index in range(10**6):
            if holds and index == self.frames:
                let_go.wait(20)  # deaf to `stop`, as a driver is
            if not holds and stop.wait(0.002):
                return
            yield Shot(Frame(noise(), index, 0.0))

    def picture(self, image: Image, size: tuple[int, int]) -> Image:
        return image

    def now_s(self) -> float:
        return 0.0


def held(camera: Holding, limit: int, patience: Patience = PATIENCE) -> tuple[Kept, Live]:
    kept, model = Kept(), Counting(limit=limit)
    model.live = live = Live(Slot(model))
    try:
        run(live, camera.open, [kept], seconds=20, patience=patience)
    finally:
        camera.let_go.set()
    return kept, live


def _wait_for_readers() -> None:
    for thread in threading.enumerate():
        if thread.name == "reader":
            thread.join(20)
            assert not thread.is_alive()


def test_a_reader_that_is_held_in_a_read_is_left_behind() -> None:
    camera = Holding(reads=range(1))
    kept, live = held(camera, 20)
    assert camera.openings == 2
    assert live.reception.outages == 1
    texts = {event.kind: event.text for event in kept.events}
    assert texts["no-signal"] == "no frame came for 0.05 s"
    assert "the source has not come back" in texts["left-behind"]
    assert "opened anew" in texts["left-behind"]
    # One outage is one such event, or who counts them counts it twice.
    assert [event.kind for event in kept.events].count("no-signal") == 1
    indices = [one.shot.frame.index for one in kept.observations]
    assert indices == sorted(set(indices))  # the count goes on
    # What it was held with, it gives back when it can, and hands on nothing of it.
    seen = len(kept.observations)
    _wait_for_readers()
    assert (camera.closed, len(kept.observations)) == (2, seen)


def test_a_reader_that_is_held_in_an_opening_is_left_behind() -> None:
    class Fails(Holding):
        def shots(self, stop: threading.Event) -> Iterator[Shot]:
            for shot in super().shots(stop):
                if self._number == 0 and shot.frame.index == 2:
                    raise DeviceError("camera 5: gone")
                yield shot

    camera = Fails(opens=range(1, 2))
    _, live = held(camera, 20)
    assert camera.openings == 3
    assert live.reception.outages == 1
    _wait_for_readers()


def test_one_that_is_left_behind_again_and_again_ends_the_run() -> None:
    camera = Holding(reads=range(1), opens=range(1, 9))
    with pytest.raises(DeviceError, match=r"not come back.*3 times in a row; look at the camera"):
        held(camera, 10**6)
    assert camera.openings == 3
    _wait_for_readers()


def test_frames_between_begin_the_count_anew() -> None:
    camera = Holding(reads=range(5))
    camera.comes_back = True
    _, live = held(camera, 30)
    assert camera.openings == 6
    assert live.reception.outages == 5
    _wait_for_readers()


def test_frames_between_do_not_let_readers_pile_up() -> None:
    """Each that is held keeps a thread, a handle and buffers, for as long as the run goes on."""
    camera = Holding(reads=range(10**6))
    with pytest.raises(DeviceError, match=r"not come back.*3 readers are held.*look at the camera"):
        held(camera, 10**6)
    assert camera.openings == 3
    _wait_for_readers()


@pytest.mark.parametrize("where", ["opens", "reads"])
def test_before_the_first_frame_it_is_an_error(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "_FIRST", 2)
    camera = Holding(**{where: range(9)}, frames=0)  # type: ignore[arg-type]
    with pytest.raises(FrameTimeoutError, match="look at the camera"):
        held(camera, 5)
    assert camera.openings == 1
    _wait_for_readers()


def test_a_device_that_the_one_left_behind_keeps_is_asked_for_again() -> None:
    """The successor is told that it is busy, which is an outage that goes on and no error."""
    camera = Holding(reads=range(1), gone_after=1)
    timer = threading.Timer(1.0, lambda: setattr(camera, "gone_after", None))
    timer.start()
    kept, live = held(camera, 20, Patience(frame_s=0.05, driver_s=0.2))
    assert camera.openings > 2
    assert live.reception.outages == 1
    assert len(kept.observations) == 20
    _wait_for_readers()


def test_a_model_that_takes_its_time_is_no_driver_that_hangs() -> None:
    class Slow(Counting):
        def answer(self, frames: np.ndarray):  # type: ignore[no-untyped-def]
            time.sleep(0.4)
            return super().answer(frames)

    camera, kept, model = Holding(), Kept(), Slow(limit=2)
    model.live = live = Live(Slot(model))
    try:
        run(live, camera.open, [kept], seconds=20, every=True, patience=PATIENCE)
    except NatadvError as error:  # the camera is silent meanwhile, since `every` makes it wait
        pytest.fail(str(error))
    assert camera.openings == 1


def test_who_gives_up_before_silence_is_called_an_outage_is_told_why() -> None:
    live = Live(Slot(Counting()))
    with pytest.raises(FrameTimeoutError, match=r"no signal for 0\.2 s \(no frame came\); look at the camera"):
        run(live, Flaky(silent).open, [], seconds=20, patience=Patience(signal_s=0.2))
