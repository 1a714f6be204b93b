"""What a service manager hears: that a run is ready, lives, and ends; and silence when it does not."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge import systemd
from edge.live import Live, run
from edge.slot import Slot
from edge.systemd import Heartbeat, notify
from tests.live_fakes import Camera, Model


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(0.05)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        monkeypatch.setattr(systemd, "_EVERY_S", 0.0)
        yield listener


def heard(manager: socket.socket) -> list[str]:
    found = []
    with contextlib.suppress(TimeoutError):
        while True:
            found.append(manager.recv(100).decode())
    return found


def test_it_lives_while_predictions_go_on(manager: socket.socket) -> None:
    heart = Heartbeat()
    heart.look(0, known_outage=False)
    assert heard(manager) == []
    heart.look(1, known_outage=False)
    assert heard(manager) == ["READY=1", "WATCHDOG=1"]
    heart.look(5, known_outage=False)
    assert heard(manager) == ["WATCHDOG=1"]
    heart.look(5, known_outage=False)  # the model hangs, or the loop does
    assert heard(manager) == []
    heart.look(5, known_outage=True)  # the camera is gone: that is known, and no reason to start anew
    assert heard(manager) == ["WATCHDOG=1"]


def test_it_is_not_said_more_often_than_needed(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "_EVERY_S", 100.0)
    heart = Heartbeat()
    for count in range(1, 9):
        heart.look(count, known_outage=False)
    assert heard(manager) == ["READY=1", "WATCHDOG=1"]


def test_an_abstract_address_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0natadv-test-notify")
        listener.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", "@natadv-test-notify")
        notify("READY=1")
        assert listener.recv(100) == b"READY=1"


def test_a_manager_that_does_not_listen_holds_nothing_up(manager: socket.socket) -> None:
    for _ in range(1000):  # its queue is full after some ten
        notify("WATCHDOG=1")
    assert 1 <= len(heard(manager)) < 1000


@pytest.mark.parametrize("address", ["", "/no/such/socket", "relative", None])
def test_without_a_manager_nothing_is_said(address: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")


def test_a_run_says_that_it_is_ready_and_that_it_ends(manager: socket.socket) -> None:
    camera = Camera(25)

    class Unhurried(Model):
        def answer(self, frames: np.ndarray) -> list:  # type: ignore[type-arg]
            live.stop.wait(0.02)
            return super().answer(frames)

    live = Live(Slot(Unhurried(camera, 1)))
    run(live, lambda: contextlib.nullcontext(camera), [])
    said = heard(manager)
    assert said[0] == "READY=1"
    assert said[-1] == "STOPPING=1"
    assert set(said[1:-1]) == {"WATCHDOG=1"}
