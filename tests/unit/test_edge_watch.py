"""A watched bundle: whatever is put in its place, however slowly, is taken, and nothing ends the watch."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from edge import session, swap
from edge.bundle import FILES, MODEL
from edge.classifier import Classifier
from edge.events import EventLog
from edge.placing import Placing
from edge.signature import sign_bundle
from edge.slot import Slot
from edge.source import SourceOptions
from edge.swap import Mark, Swapper, Watcher, mark_of
from natadv.errors import BundleError, ResourceError
from natadv.images import write_image
from tests.signing_keys import keys
from tests.tiny_bundle import write_tiny_bundle
from tests.unit.test_edge_swap import Model


def test_a_watched_folder_is_swapped_once_for_each_change(tmp_path: Path) -> None:
    first, second = (
        write_tiny_bundle(tmp_path / "v1"),
        write_tiny_bundle(tmp_path / "v2", labels=("red", "green", "azure")),
    )
    (tmp_path / "current").symlink_to(first)
    stop, events = threading.Event(), EventLog()
    with Classifier(tmp_path / "current", device="cpu") as opened:
        slot = Slot(opened)
        swapper = Swapper(slot, events, lambda folder: Classifier(folder, device="cpu"))
        watcher = Watcher(tmp_path / "current", mark_of(tmp_path / "current"), swapper, stop, look_s=0.02)
        watcher.start()
        (tmp_path / "next").symlink_to(second)
        (tmp_path / "next").rename(tmp_path / "current")
        try:
            _wait_for(lambda: slot.swaps == 1)
            assert slot.model.labels[2] == "azure"
            assert events.latest(1)[0].text.endswith(", no detector")  # whose alarm by score is over with it
            (second / "model.onnx").write_bytes(b"torn")
            (second / "manifest.json").touch()
            _wait_for(lambda: any(event.kind == "swap-refused" for event in events.latest(9)))
            time.sleep(0.2)
            assert [event.kind for event in events.latest(9)] == ["swapped", "swap-refused"]
        finally:
            stop.set()
            watcher.join(20)
            slot.close()


@contextmanager
def watched(folder: Path, seen: Mark | None, placing: Placing) -> Iterator[tuple[Slot, EventLog]]:
    """Watch a folder, as a run whose model came from it does."""
    stop, events = threading.Event(), EventLog()
    slot = Slot(Model("old"))
    watcher = Watcher(folder, seen, Swapper(slot, events, placing.open), stop, look_s=0.02)
    watcher.start()
    try:
        yield slot, events
        assert watcher.is_alive()
    finally:
        stop.set()
        watcher.join(20)
        slot.close()


def kinds(events: EventLog) -> list[str]:
    return [event.kind for event in events.latest(99)]


def test_a_bundle_that_is_signed_after_it_was_refused_is_taken(tmp_path: Path) -> None:
    folder, (private, public) = write_tiny_bundle(tmp_path / "b"), keys(tmp_path, "ours")
    sign_bundle(folder, private)
    with watched(folder, mark_of(folder), Placing(device="cpu", public_key=public)) as (slot, events):
        write_tiny_bundle(folder, labels=("red", "green", "azure"), overwrite=True)  # and so without a signature
        _wait_for(lambda: kinds(events) == ["swap-refused"])
        assert "is not signed" in events.latest(1)[0].text
        sign_bundle(folder, private)
        _wait_for(lambda: kinds(events) == ["swap-refused", "swapped"])
        assert slot.model.labels[2] == "azure"


def test_a_bundle_whose_model_comes_after_its_manifest_is_taken_in_the_end(tmp_path: Path) -> None:
    folder, other = write_tiny_bundle(tmp_path / "b"), write_tiny_bundle(tmp_path / "o", ("red", "green", "azure"))

    def copy(name: str) -> None:  # aside, then renamed, as rsync does
        (tmp_path / name).write_bytes((other / name).read_bytes())
        (tmp_path / name).rename(folder / name)

    with watched(folder, mark_of(folder), Placing(device="cpu")) as (slot, events):
        for name in sorted(set(FILES) - {MODEL}):
            copy(name)
        _wait_for(lambda: kinds(events)[-1:] == ["swap-refused"])
        copy(MODEL)
        _wait_for(lambda: kinds(events)[-1:] == ["swapped"])
        assert slot.model.labels[2] == "azure"


def test_a_bundle_that_was_exchanged_while_the_first_was_opened_is_taken(tmp_path: Path) -> None:
    folder = write_tiny_bundle(tmp_path / "b")
    seen = mark_of(folder)
    write_tiny_bundle(folder, labels=("red", "green", "azure"), overwrite=True)
    with watched(folder, seen, Placing(device="cpu")) as (slot, _):
        _wait_for(lambda: slot.swaps == 1)
        assert slot.model.labels[2] == "azure"


def test_a_run_marks_its_bundle_before_it_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, steps = write_tiny_bundle(tmp_path / "b"), []
    (tmp_path / "film").mkdir()
    write_image(tmp_path / "film" / "0.png", np.zeros((8, 6, 3), np.uint8))
    opening, marking = Placing.open, mark_of
    monkeypatch.setattr(Placing, "open", lambda *a, **more: (steps.append("read"), opening(*a, **more))[1])
    monkeypatch.setattr(session, "mark_of", lambda *a: (steps.append("marked"), marking(*a))[1])
    options = SourceOptions(fast=True)
    session.run_session(folder, str(tmp_path / "film"), options, placing=Placing(device="cpu"), watch=True)
    assert steps == ["marked", "read"]


def test_a_folder_that_is_being_written_is_left_alone_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = iter([((number,),) for number in range(1, 8)])
    monkeypatch.setattr(swap, "mark_of", lambda folder: next(marks, ((7,),)))
    tried: list[Path] = []
    stop = threading.Event()

    class Asked(Swapper):
        def swap(self, folder: Path) -> Model:
            tried.append(folder)
            if len(tried) == 2:
                stop.set()
            return Model("new")

    watcher = Watcher(tmp_path, ((0,),), Asked(Slot(Model("old")), EventLog(), Model), stop, look_s=0.001)  # type: ignore[arg-type]
    watcher.start()
    watcher.join(20)
    # At its fifth change it is tried all the same, and at the end, when it is still.
    assert (len(tried), next(marks, None)) == (2, None)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("CUDA error\nmore"), "b: cannot be taken (RuntimeError: CUDA error); the model in use stays"),
        (
            OSError(28, "No space left"),
            "b: cannot be taken (OSError: [Errno 28] No space left); the model in use stays",
        ),
        (MemoryError(), "b: cannot be taken (MemoryError:); the model in use stays"),
    ],
)
def test_no_error_ends_a_watch(tmp_path: Path, error: Exception, said: str) -> None:
    events, stop, fails = EventLog(), threading.Event(), [error]

    def opening(folder: Path) -> Model:
        if fails:
            raise fails.pop()
        return Model("new")

    folder, slot = write_tiny_bundle(tmp_path / "b"), Slot(Model("old"))
    watcher = Watcher(folder, (), Swapper(slot, events, opening), stop, look_s=0.02)
    watcher.start()
    try:
        _wait_for(lambda: kinds(events) == ["swap-refused"])
        assert events.latest(1)[0].text == f"{tmp_path}/{said}"
        assert slot.model.described == "old"
        (folder / "manifest.json").touch()
        _wait_for(lambda: kinds(events) == ["swap-refused", "swapped"])
    finally:
        stop.set()
        watcher.join(20)
    with pytest.raises(BundleError, match="cannot be taken") as caught:
        Swapper(slot, events, Broken(error)).swap(folder)
    assert caught.value.__cause__ is error


class Broken:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, folder: Path, **more: object) -> Model:
        raise self.error


def test_too_little_memory_for_a_model_is_one_of_our_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.placing.Classifier", Broken(MemoryError()))
    with pytest.raises(ResourceError, match="b: does not fit into this machine's memory"):
        Placing().open(tmp_path / "b")


def _wait_for(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end_s, "it did not come about"
        time.sleep(0.01)


def test_a_run_that_ends_waits_for_the_bundle_that_is_being_opened(tmp_path: Path) -> None:
    """A thread that comes back out of a library while Python is torn down would abort the process."""
    bundle = write_tiny_bundle(tmp_path / "bundle", ("a", "b", "c"))
    (tmp_path / "film").mkdir()
    for number in range(60):
        write_image(tmp_path / "film" / f"{number:02}.png", np.full((8, 8, 3), 4 * number, np.uint8))
    begun, done = threading.Event(), threading.Event()

    class Slow(Placing):
        def open(self, bundle: Path, *, first: bool = False) -> Classifier:
            if not first:
                begun.set()
                time.sleep(1.0)
            try:
                return super().open(bundle, first=first)
            finally:
                if not first:
                    done.set()

    def end() -> None:
        write_tiny_bundle(bundle, ("a", "b", "d"), overwrite=True)
        begun.wait(20)
        os.kill(os.getpid(), signal.SIGTERM)

    asking = threading.Timer(0.5, end)
    asking.start()
    source = SourceOptions(image_s=0.5)
    session.run_session(bundle, str(tmp_path / "film"), source, placing=Slow(device="cpu"), watch=True)
    asking.join(20)
    assert begun.is_set()
    assert done.is_set()
