"""A model that hangs or fails is replaced by a fresh one, and one that was written anew takes its place, live."""

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from edge import live as live_module
from edge.classifier import Classifier
from edge.events import EventLog
from edge.live import Live, run
from edge.patience import Patience
from edge.prediction import Prediction
from edge.slot import Slot
from edge.source import Shot
from edge.summary import Summary
from edge.swap import Swapper
from natadv.errors import BundleError, ConfigError, DeviceError
from natadv.images import Image
from rigs.frame import Frame
from tests.live_fakes import Kept
from tests.tiny_bundle import write_tiny_bundle


class Ticking:
    """A camera at 200 frames a second for ever."""

    labels: tuple[str, ...] = ()
    live = True

    def shots(self, stop: threading.Event):  # type: ignore[no-untyped-def]
        rng, index = np.random.default_rng(0), 0
        while not stop.wait(0.005):
            yield Shot(Frame(rng.integers(0, 256, (16, 16, 3), np.uint8), index, time.monotonic()))
            index += 1

    def picture(self, image: Image, size: tuple[int, int]) -> Image:
        return image

    def now_s(self) -> float:
        return time.monotonic()


class Model:
    """Answers with its name; before its n-th answer it does what `before` says."""

    labels = ("old", "new")
    digest = "0" * 64
    input_size = (16, 16)

    def __init__(self, name: str, before: Callable[["Model", int], None] = lambda model, count: None) -> None:
        self.described = self.name = self.digest = name
        self.before, self.count = before, 0
        self.abandoned, self.closed = threading.Event(), False

    def prepare(self, images: list[Image]) -> np.ndarray:
        return np.stack(images)

    def answer(self, frames: np.ndarray) -> list[Prediction]:
        self.count += 1
        self.before(self, self.count)
        return [Prediction(self.name, 0, 1.0, np.ones(2, np.float32))]

    def abandon(self) -> None:
        self.abandoned.set()

    def close(self) -> None:
        self.closed = True


class Until(Kept):
    """Ends the run when there were so many answers of a name."""

    def __init__(self, live: Live, name: str, count: int) -> None:
        super().__init__()
        self.live, self.name, self.wanted = live, name, count

    def write(self, observation):  # type: ignore[no-untyped-def]
        super().write(observation)
        if sum(one.prediction.label == self.name for one in self.observations) == self.wanted:
            self.live.stop.set()


def replaced(
    first: Model, second: Model | None, *, same: bool = True, **patience: float
) -> tuple[Summary, Until, Live]:
    """Run until there are five answers of the second model, which is of the `same` file or of another."""
    if second is not None and same:
        second.digest = first.digest
    live = Live(Slot(first))
    kept = Until(live, "new", 5)
    reopen = None if second is None else lambda: second
    summary = run(
        live,
        lambda: nullcontext(Ticking()),
        [kept],
        seconds=20,
        patience=Patience(model_s=0.2, **patience),  # type: ignore[arg-type]
        reopen=reopen,
    )
    return summary, kept, live


def hangs_at(number: int, *, gives_up: bool) -> Callable[[Model, int], None]:
    def before(model: Model, count: int) -> None:
        if count == number:
            if gives_up:
                model.abandoned.wait(20)
                raise DeviceError("terminated")
            released.wait(20)

    return before


released = threading.Event()


def test_a_model_that_hangs_is_told_to_give_up_and_replaced() -> None:
    first, second = Model("old", hangs_at(3, gives_up=True)), Model("new")
    summary, kept, live = replaced(first, second)
    assert [one.prediction.label for one in kept.observations] == ["old"] * 2 + ["new"] * 5
    (event,) = [event for event in kept.events if event.kind == "restarted"]
    assert event.text == "the model gave no answer in 0.2 s; it gave up; now new"
    assert (summary.restarts, summary.swaps, live.slot.model) == (1, 0, second)
    assert first.closed


def test_a_model_that_cannot_give_up_is_left_behind_and_says_nothing_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_module, "_GRACE_S", 0.1)
    released.clear()
    first = Model("old", hangs_at(3, gives_up=False))
    summary, kept, _ = replaced(first, Model("new"))
    assert summary.restarts == 1
    assert "still hangs and is left behind" in next(one.text for one in kept.events if one.kind == "restarted")
    count = len(kept.observations)
    released.set()
    for thread in threading.enumerate():
        if thread.name == "model":
            thread.join(20)
    assert len(kept.observations) == count
    assert first.closed


def test_what_lies_in_the_bundles_place_by_then_is_said_to_be_another() -> None:
    summary, kept, live = replaced(Model("old", hangs_at(3, gives_up=True)), Model("new"), same=False)
    assert not [event for event in kept.events if event.kind == "restarted"]
    (event,) = [event for event in kept.events if event.kind == "swapped"]
    assert event.text == "the model gave no answer in 0.2 s; it gave up, and another bundle is in its place; now new"
    assert (summary.restarts, summary.swaps, live.slot.model.digest) == (0, 1, "new")


def test_a_swap_that_comes_while_the_model_is_opened_anew_stays() -> None:
    first, stale, chosen = Model("old", hangs_at(3, gives_up=True)), Model("stale"), Model("new")
    live = Live(Slot(first))
    swapper = Swapper(live.slot, live.events, lambda folder: chosen)

    def reopen() -> Model:
        swapper.swap(Path("chosen"))  # by somebody on the page, who saw that the model hangs
        return stale

    kept = Until(live, "new", 5)
    summary = run(
        live, lambda: nullcontext(Ticking()), [kept], seconds=20, patience=Patience(model_s=0.2), reopen=reopen
    )
    assert live.slot.model is chosen
    assert [one.prediction.label for one in kept.observations] == ["old"] * 2 + ["new"] * 5
    assert (summary.swaps, summary.restarts) == (1, 0)
    assert stale.closed
    assert first.closed
    assert [event.text for event in kept.events if event.kind in ("swapped", "restarted")] == ["chosen: new"]


def test_a_model_that_fails_is_replaced() -> None:
    def fails(model: Model, count: int) -> None:
        if count == 3:
            raise DeviceError("CUDA failure 700")

    first = Model("old", fails)
    summary, kept, _ = replaced(first, Model("new"))
    assert summary.restarts == 1
    assert first.closed
    assert kept.events[-1].kind in ("label", "restarted")
    assert "the model failed (CUDA failure 700)" in next(one.text for one in kept.events if one.kind == "restarted")


def test_one_that_fails_again_and_again_ends_the_run() -> None:
    def fails(model: Model, count: int) -> None:
        raise DeviceError("CUDA failure 700")

    with pytest.raises(DeviceError, match=r"CUDA failure 700.*3 times in a row; look at the device"):
        replaced(Model("old", fails), Model("new", fails), restarts=2)


def test_without_a_way_to_open_it_anew_a_failure_is_an_error() -> None:
    def fails(model: Model, count: int) -> None:
        raise DeviceError("CUDA failure 700")

    with pytest.raises(DeviceError, match=r"^CUDA failure 700"):
        replaced(Model("old", fails), None)


def test_a_sink_that_fails_is_not_the_models_fault() -> None:
    class Full(Kept):
        def write(self, observation):  # type: ignore[no-untyped-def]
            raise DeviceError("disk full")

    live = Live(Slot(Model("old")))
    with pytest.raises(DeviceError, match="disk full"):
        run(live, lambda: nullcontext(Ticking()), [Full()], seconds=20, reopen=lambda: Model("new"))
    assert live.restarts == 0


def test_a_swap_misses_no_frame_and_closes_the_old_model() -> None:
    live = Live(Slot(Model("old")))
    first = live.slot.model
    kept = Until(live, "new", 20)
    swapper = Swapper(live.slot, live.events, lambda folder: Model("new"))
    timer = threading.Timer(0.3, lambda: swapper.swap(Path("newer")))
    timer.start()
    summary = run(live, lambda: nullcontext(Ticking()), [kept], seconds=20)
    labels = [one.prediction.label for one in kept.observations]
    assert labels == sorted(labels, reverse=True)  # old, then new, never mixed
    assert (summary.swaps, summary.restarts) == (1, 0)
    assert first.closed  # type: ignore[attr-defined]
    assert [event.text for event in kept.events if event.kind == "swapped"] == ["newer: new"]
    # The label that held was the old model's; the new one has to hold its own.
    turn = labels.index("new")
    assert kept.observations[turn - 1].steady == "old"
    assert kept.observations[turn].steady is None


def test_a_bundle_that_is_refused_leaves_the_old_one_at_work(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "good")
    write_tiny_bundle(tmp_path / "torn")
    (tmp_path / "torn" / "model.onnx").write_bytes(b"torn")
    events = EventLog()
    with Classifier(tmp_path / "good", device="cpu") as first:
        slot = Slot(first)
        swapper = Swapper(slot, events, lambda folder: Classifier(folder, device="cpu"))
        with pytest.raises(BundleError, match="not the bytes that were exported"):
            swapper.swap(tmp_path / "torn")
        assert slot.model is first
        assert [event.kind for event in events.latest(9)] == ["swap-refused"]


def test_a_model_that_lacks_the_sources_labels_is_refused_and_closed() -> None:
    slot = Slot(Model("old"))
    slot.need(["old"])
    other = Model("other")
    other.labels = ("cat", "dog")  # type: ignore[assignment]
    swapper = Swapper(slot, EventLog(), lambda folder: other)
    with pytest.raises(ConfigError, match="label 'old' of the source is not among the model's 2"):
        swapper.swap(Path("b"))
    assert other.closed
    assert slot.model.described == "old"


def test_a_real_answer_can_be_abandoned(tmp_path: Path) -> None:
    with Classifier(write_tiny_bundle(tmp_path / "b"), device="cpu") as classifier:
        frames = classifier.prepare([np.zeros((8, 8, 3), np.uint8)])
        classifier.answer(frames)
        classifier.abandon()
        with pytest.raises(DeviceError, match="terminate"):
            classifier.answer(frames)
