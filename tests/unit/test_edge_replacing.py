"""A model that is opened anew holds up neither the end of a run nor anything else that is watched."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from edge import live as live_module
from edge import replacing, systemd
from edge.events import Event
from edge.live import Live, run
from edge.patience import Patience
from edge.slot import Predictor, Slot
from edge.swap import Swapper
from natadv.errors import BundleError, DataError, DeviceError, FrameTimeoutError
from natadv.images import Image
from tests.live_fakes import Kept
from tests.unit.test_edge_outages import Flaky, frames
from tests.unit.test_edge_swap import Model, Ticking, Until

LONG = 20.0


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replacing, "_AGAIN_S", 0.01)


@pytest.fixture
def let_go() -> Iterator[threading.Event]:
    """Give what ends whatever a test holds, for no thread is to be left to the next one."""
    event = threading.Event()
    yield event
    event.set()
    for thread in threading.enumerate():
        if thread.name in ("opening", "model"):
            thread.join(LONG)
            assert not thread.is_alive()


def fails_at(number: int) -> Callable[[Model, int], None]:
    def before(model: Model, count: int) -> None:
        if count == number:
            raise DeviceError("CUDA failure 700")

    return before


def test_the_end_does_not_wait_for_a_model_that_is_opened_anew(let_go: threading.Event) -> None:
    second = Model("new")

    def reopen() -> Predictor:
        live.stop.set()  # as SIGTERM does
        let_go.wait(LONG)
        return second

    live = Live(Slot(Model("old", fails_at(3))))
    run(live, lambda: nullcontext(Ticking()), [], seconds=LONG, patience=Patience(stop_s=0.2), reopen=reopen)
    assert not let_go.is_set()
    assert not second.closed
    let_go.set()
    for thread in threading.enumerate():
        if thread.name == "opening":
            thread.join(LONG)
    assert (second.closed, second.count, live.restarts) == (True, 0, 0)


def test_nor_does_the_watchdog_or_what_others_know(let_go: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(systemd, "_EVERY_S", 0.0)
    monkeypatch.setattr(systemd, "notify", said.append)
    while_opened: list[tuple[int, float]] = []

    def reopen() -> Predictor:
        before, end_s = len(said), time.monotonic() + LONG
        while (len(said) < before + 3 or live.asking_s == 0) and time.monotonic() < end_s:
            time.sleep(0.01)
        while_opened.append((len(said) - before, live.asking_s))
        return Model("new")

    live = Live(Slot(Model("old", fails_at(3))))
    kept = Until(live, "new", 3)
    run(live, lambda: nullcontext(Ticking()), [kept], seconds=LONG, reopen=reopen)
    ((beats, asking_s),) = while_opened
    assert beats >= 3
    assert asking_s > 0
    assert live.asking_s == 0


def test_a_model_that_hangs_is_told_while_it_is_waited_for(
    let_go: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the watchdog, to all who listen, and to the page: not only when it is over."""
    monkeypatch.setattr(systemd, "_EVERY_S", 0.0)
    said: list[str] = []
    monkeypatch.setattr(systemd, "notify", said.append)
    kept: Kept = Kept()
    beats: list[int] = []
    asking_s: list[float] = []

    def hangs(model: Model, count: int) -> None:
        if count != 3:
            return
        model.abandoned.wait(LONG)
        end_s = time.monotonic() + LONG
        begun = len(said)
        while (len(said) < begun + 3 or not any(e.kind == "stuck" for e in kept.events)) and time.monotonic() < end_s:
            time.sleep(0.01)
        beats.append(len(said) - begun)
        asking_s.append(live.asking_s)
        raise DeviceError("told to give up")

    live = Live(Slot(Model("old", hangs)))
    until = Until(live, "new", 3)
    summary = run(
        live,
        lambda: nullcontext(Ticking()),
        [kept, until],
        seconds=LONG,
        patience=Patience(model_s=0.1),
        reopen=lambda: Model("new"),
    )
    assert beats[0] >= 3
    assert asking_s[0] > 0.1
    assert [event.text for event in kept.events if event.kind == "stuck"] == [
        "the model gave no answer in 0.1 s; it is asked to give up"
    ]
    assert summary.swaps == 1


def test_what_happens_while_another_is_opened_is_told_at_once(let_go: threading.Event) -> None:
    kept = Kept()
    heard: list[bool] = []

    def reopen() -> Predictor:
        live.events.add("page", "somebody came")
        end_s = time.monotonic() + LONG
        while not kept.events and time.monotonic() < end_s:
            time.sleep(0.01)
        heard.append([event.text for event in kept.events] == ["somebody came"])
        return Model("new")

    live = Live(Slot(Model("old", fails_at(3))))
    run(live, lambda: nullcontext(Ticking()), [kept, Until(live, "new", 3)], seconds=LONG, reopen=reopen)
    assert heard == [True]


def test_a_listener_that_takes_nothing_meanwhile_does_not_hold_up_the_end(let_go: threading.Event) -> None:
    class Blocked(Kept):
        def note(self, event: Event) -> None:
            let_go.wait(LONG)

    def reopen() -> Predictor:
        live.events.add("page", "somebody came")
        time.sleep(0.3)
        live.stop.set()
        return Model("new")

    live = Live(Slot(Model("old", fails_at(3))))
    with pytest.raises(DataError, match=r"another listener, has taken nothing for 0\.2 s"):
        run(
            live,
            lambda: nullcontext(Ticking()),
            [Blocked()],
            seconds=LONG,
            patience=Patience(stop_s=0.2),
            reopen=reopen,
        )
    assert not let_go.is_set()


def test_what_an_error_at_the_end_came_of_is_told_to_all() -> None:
    def reopen() -> Predictor:
        raise BundleError("b: torn")

    kept = Kept()
    with pytest.raises(DeviceError, match="look at the device"):
        run(
            Live(Slot(Model("old", fails_at(3)))),
            lambda: nullcontext(Ticking()),
            [kept],
            seconds=LONG,
            patience=Patience(restarts=1),
            reopen=reopen,
        )
    assert [event.kind for event in kept.events if event.kind != "label"] == ["restart-failed"]


def test_a_camera_that_goes_meanwhile_is_noticed(let_go: threading.Event) -> None:
    opened: list[Model] = []

    def reopen() -> Predictor:
        let_go.wait(LONG)
        opened.append(Model("new"))
        return opened[0]

    live = Live(Slot(Model("old", fails_at(1))))
    with pytest.raises(FrameTimeoutError, match=r"no signal for 0\.3 s"):
        run(
            live,
            Flaky(frames(3, DeviceError("camera 5: gone")), None).open,
            [],
            seconds=LONG,
            patience=Patience(signal_s=0.3, stop_s=0.2),
            reopen=reopen,
        )
    assert opened == []


def test_one_that_is_being_opened_when_the_run_ends_by_an_error_is_waited_for_and_closed() -> None:
    """A thread that comes back out of a library while Python is torn down aborts the process."""
    opened: list[Model] = []
    begun = threading.Event()

    def reopen() -> Predictor:
        begun.set()
        time.sleep(1.0)
        opened.append(Model("new"))
        return opened[0]

    def goes(stop: threading.Event) -> Iterator[Image]:
        yield from frames(1)(stop)
        begun.wait(LONG)
        raise DeviceError("camera 5: gone")

    camera = Flaky(goes, None)
    with pytest.raises(FrameTimeoutError, match="no signal"):
        run(
            Live(Slot(Model("old", fails_at(1)))),
            camera.open,
            [],
            seconds=LONG,
            patience=Patience(signal_s=0.3),
            reopen=reopen,
        )
    assert [model.closed for model in opened] == [True]


def test_one_that_is_never_opened_ends_the_run(let_go: threading.Event) -> None:
    def reopen() -> Predictor:
        let_go.wait(LONG)
        return Model("new")

    live = Live(Slot(Model("old", fails_at(3))))
    with pytest.raises(DeviceError, match=r"another has been opened for 0 s; look at the device"):
        run(
            live,
            lambda: nullcontext(Ticking()),
            [],
            seconds=LONG,
            patience=Patience(opening_s=0.2, stop_s=0.2),
            reopen=reopen,
        )


def test_a_bundle_that_is_being_copied_is_tried_again() -> None:
    tries: list[int] = []

    def reopen() -> Predictor:
        tries.append(1)
        if len(tries) < 3:
            raise BundleError("b/model.onnx: not the bytes that were exported")
        return Model("new")

    live = Live(Slot(Model("old", fails_at(3))))
    kept = Until(live, "new", 5)
    summary = run(live, lambda: nullcontext(Ticking()), [kept], seconds=LONG, reopen=reopen)
    assert [one.prediction.label for one in kept.observations] == ["old"] * 2 + ["new"] * 5
    failed = [event.text for event in kept.events if event.kind == "restart-failed"]
    assert failed == ["the model failed (CUDA failure 700); b/model.onnx: not the bytes that were exported"] * 2
    assert (summary.swaps, len(tries)) == (1, 3)


def test_one_that_stays_torn_ends_the_run() -> None:
    tries: list[int] = []

    def reopen() -> Predictor:
        tries.append(1)
        raise BundleError("b: torn")

    live = Live(Slot(Model("old", fails_at(3))))
    with pytest.raises(DeviceError, match=r"CUDA failure 700.*4 times in a row; look at the device"):
        run(live, lambda: nullcontext(Ticking()), [], seconds=LONG, reopen=reopen)
    assert len(tries) == 3


def test_one_that_lacks_the_sources_labels_is_closed_and_tried_again() -> None:
    class Labelled(Ticking):
        labels = ("old",)

    other = Model("other")
    other.labels = ("cat", "dog")  # type: ignore[assignment]
    given: list[Predictor] = [Model("new"), other]
    live = Live(Slot(Model("old", fails_at(3))))
    kept = Until(live, "new", 2)
    run(live, lambda: nullcontext(Labelled()), [kept], seconds=LONG, reopen=given.pop)
    assert other.closed
    assert "label 'old'" in next(event.text for event in kept.events if event.kind == "restart-failed")


def test_a_good_model_that_somebody_swaps_in_is_taken_at_once(let_go: threading.Event) -> None:
    """Though the one that is opened anew is torn, or never comes."""
    chosen, late = Model("new"), Model("late")
    live = Live(Slot(Model("old", fails_at(3))))
    swapper = Swapper(live.slot, live.events, lambda folder: chosen)

    def reopen() -> Predictor:
        swapper.swap(Path("chosen"))
        let_go.wait(LONG)
        return late

    kept = Until(live, "new", 5)
    summary = run(live, lambda: nullcontext(Ticking()), [kept], seconds=LONG, reopen=reopen)
    assert not let_go.is_set()
    assert [one.prediction.label for one in kept.observations] == ["old"] * 2 + ["new"] * 5
    assert (summary.swaps, summary.restarts, live.slot.model) == (1, 0, chosen)
    let_go.set()
    for thread in threading.enumerate():
        if thread.name == "opening":
            thread.join(LONG)
    assert late.closed


def test_one_that_is_there_already_needs_no_other() -> None:
    """It was put in the slot while the old one worked out the answer that it failed at."""
    chosen = Model("new")

    def swaps(model: Model, count: int) -> None:
        if count == 3:
            live.slot.put(chosen)
            raise DeviceError("CUDA failure 700")

    live = Live(Slot(Model("old", swaps)))
    kept = Until(live, "new", 5)

    def reopen() -> Predictor:
        raise BundleError("b: torn")

    summary = run(live, lambda: nullcontext(Ticking()), [kept], seconds=LONG, reopen=reopen)
    assert (summary.swaps, live.slot.model) == (1, chosen)


def test_answers_between_do_not_let_models_pile_up(let_go: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that hangs keeps a thread and a model's memory, for as long as the run goes on."""
    monkeypatch.setattr(live_module, "_GRACE_S", 0.05)
    opened: list[Model] = []

    def hangs(model: Model, count: int) -> None:
        if count == 3:
            let_go.wait(LONG)

    def reopen() -> Predictor:
        opened.append(Model("old", hangs))
        return opened[-1]

    live = Live(Slot(Model("old", hangs)))
    kept = Kept()
    patience = Patience(model_s=0.1, restarts=2)
    with pytest.raises(DeviceError, match=r"no answer.*; 3 models hang by now; look at the device"):
        run(live, lambda: nullcontext(Ticking()), [kept], seconds=LONG, patience=patience, reopen=reopen)
    assert len(opened) == 2
    assert len(kept.observations) == 6
