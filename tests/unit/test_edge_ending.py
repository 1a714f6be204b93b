"""A run ends soon after it is asked to, whatever holds a model or a listener."""

import fcntl
import os
import signal
import struct
import subprocess
import termios
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from edge import live as live_module
from edge.live import Live, run
from edge.patience import Patience
from edge.sinks import Observation
from edge.slot import Slot
from edge.systemd import Heartbeat
from natadv.errors import DataError
from natadv.images import write_image
from tests.live_fakes import Kept
from tests.tiny_bundle import RED, plain, write_tiny_bundle
from tests.unit.test_edge_cli import COMMAND
from tests.unit.test_edge_swap import Model, Ticking

LONG = 20.0


def test_a_model_that_hangs_is_not_opened_anew_when_the_run_is_to_end() -> None:
    reopened: list[Model] = []

    def reopen() -> Model:
        reopened.append(Model("new"))
        return reopened[-1]

    def hangs(model: Model, count: int) -> None:
        live.stop.set()
        model.abandoned.wait(LONG)

    first = Model("old", hangs)
    live = Live(Slot(first))
    kept = Kept()
    patience = Patience(model_s=0.1, stop_s=0.3)
    run(live, lambda: nullcontext(Ticking()), [kept], seconds=LONG, patience=patience, reopen=reopen)
    assert first.abandoned.is_set()
    assert (reopened, kept.observations, live.restarts) == ([], [], 0)


def test_a_run_whose_time_is_over_waits_at_rest_for_its_last_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    monkeypatch.setattr(Heartbeat, "look", lambda heart, predicted, known_outage: looks.append(predicted))

    def slow(model: Model, count: int) -> None:
        if count == 2:
            time.sleep(1.0)

    run(Live(Slot(Model("old", slow))), lambda: nullcontext(Ticking()), [], seconds=0.3)
    assert len(looks) < 40  # ten a second; in a circle it would be tens of thousands


def test_one_that_cannot_give_up_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "_LAST_GRACE_S", 0.1)
    released = threading.Event()
    first = Model("old", lambda model, count: live.stop.set() or released.wait(LONG))  # type: ignore[func-returns-value]
    live = Live(Slot(first))
    kept = Kept()
    run(live, lambda: nullcontext(Ticking()), [kept], seconds=LONG, patience=Patience(stop_s=0.2))
    assert not released.is_set()
    released.set()
    _wait_for_workers()
    assert kept.observations == []
    assert first.closed


def test_an_answer_that_comes_in_time_is_published() -> None:
    def slow(model: Model, count: int) -> None:
        live.stop.set()
        time.sleep(0.3)

    live = Live(Slot(Model("old", slow)))
    kept = Kept()
    summary = run(live, lambda: nullcontext(Ticking()), [kept], seconds=LONG)
    assert summary.predicted == len(kept.observations) == 1


def test_one_that_is_asked_to_give_up_already_does_not_hold_the_end_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run is asked to end while it waits whether a model that hung will give up."""
    monkeypatch.setattr(live_module, "_GRACE_S", LONG)
    released = threading.Event()

    class Deaf(Model):
        def abandon(self) -> None:
            live.stop.set()

    live = Live(Slot(Deaf("old", lambda model, count: released.wait(LONG) and None)))
    patience = Patience(model_s=0.1, stop_s=0.2)
    run(live, lambda: nullcontext(Ticking()), [], seconds=LONG, patience=patience, reopen=lambda: Model("new"))
    assert not released.is_set()
    assert live.restarts == 0
    released.set()
    _wait_for_workers()


def test_a_model_that_was_opened_meanwhile_is_let_go() -> None:
    second = Model("new")

    def reopen() -> Model:
        live.stop.set()
        return second

    live = Live(Slot(Model("old", lambda model, count: model.abandoned.wait(LONG) and None)))
    run(live, lambda: nullcontext(Ticking()), [], seconds=LONG, patience=Patience(model_s=0.1), reopen=reopen)
    assert second.closed
    assert second.count == 0


def test_a_listener_that_takes_nothing_does_not_hold_the_end_up() -> None:
    released = threading.Event()
    after = Kept()

    class Stuck(Kept):
        def write(self, observation: Observation) -> None:
            live.stop.set()
            released.wait(LONG)

    live = Live(Slot(Model("old")))
    with pytest.raises(DataError, match=r"has taken nothing for 0\.2 s"):
        run(live, lambda: nullcontext(Ticking()), [Stuck(), after], seconds=LONG, patience=Patience(stop_s=0.2))
    assert not released.is_set()
    released.set()
    _wait_for_workers()
    assert after.observations == []  # it was closed by whoever opened it, and must not be begun anew


def _wait_for_workers() -> None:
    for thread in threading.enumerate():
        if thread.name == "model":
            thread.join(LONG)
            assert not thread.is_alive()


def test_a_pipe_that_nobody_empties_does_not_hold_the_process(tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle")
    (tmp_path / "images").mkdir()
    for number in range(100):
        write_image(tmp_path / "images" / f"{number:03}.png", plain(RED, (24, 32)))
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    try:
        args = [bundle, "--source", tmp_path / "images", "--image-s", "0.02"]
        with subprocess.Popen([*COMMAND, *map(str, args)], stdout=write, stderr=subprocess.PIPE, text=True) as process:
            os.close(write)
            assert process.stderr is not None
            try:
                _until_full(read)
                process.send_signal(signal.SIGTERM)
                _, errors = process.communicate(timeout=60)
            finally:
                process.kill()
    finally:
        os.close(read)
    assert process.returncode == 1, errors
    assert errors.splitlines()[-1].startswith("error: standard output, or another listener, has taken nothing")
    assert "Fatal" not in errors


def _until_full(read: int) -> None:
    """Wait until a pipe takes nothing more: what waits in it does not change for a second."""

    def waits() -> int:
        return int(struct.unpack("i", fcntl.ioctl(read, termios.FIONREAD, b"\0" * 4))[0])

    end_s, before, since_s = time.monotonic() + 60, -1, time.monotonic()
    while (now := waits()) < 3000 or now != before or time.monotonic() - since_s < 1:
        if now != before:
            before, since_s = now, time.monotonic()
        assert time.monotonic() < end_s, f"only {now} bytes came"
        time.sleep(0.05)
