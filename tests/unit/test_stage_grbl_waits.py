"""No wait for a GRBL controller is without an end, and each end is said."""

import io
import socket
import threading
import time
from contextlib import suppress

import pytest

from natadv.errors import ConnectError, DeviceError
from natadv.raindrops.pose import Pose
from rigs.firmware.machine import Machine
from rigs.firmware.terminal import Terminal
from rigs.stage import grbl, grbl_link
from rigs.stage.grbl_greeting import reset
from rigs.stage.grbl_guard import watch
from tests.grbl_rig import small_setup
from tests.grbl_stage import LIMIT_S, open_stage, running, until


def _over(*threads):
    for thread in threads:
        thread.join(LIMIT_S)
    return not any(thread.is_alive() for thread in threads)


def test_a_port_lost_in_the_moment_of_a_reset_does_not_hold_up_both(monkeypatch, tmp_path):
    with running("grblhal", tmp_path / "grbl") as (_, stage):
        link, writing = stage._link, threading.Event()

        def broken(_):
            writing.set()
            time.sleep(0.3)  # meanwhile somebody resets
            raise OSError("broken")

        monkeypatch.setattr(link._serial, "write", broken)
        said = []

        def called(work):
            try:
                work()
            except DeviceError as error:
                said.append(str(error))

        asking = threading.Thread(target=called, args=(lambda: link.now(b"?"),), daemon=True)
        asking.start()
        assert writing.wait(LIMIT_S)
        resetting = threading.Thread(target=called, args=(lambda: reset(link),), daemon=True)
        resetting.start()
        assert _over(asking, resetting)
        assert ["is gone" in words for words in said] == [True, True]


def test_a_controller_that_greets_again_and_again_is_refused(monkeypatch):
    receive = Machine.receive

    def restarting(machine, data, now_s):
        if b"\n" in data:  # it never gets as far as an ok
            machine._restart(now_s, now_s)
        else:
            receive(machine, data, now_s)

    monkeypatch.setattr(Machine, "receive", restarting)
    with Terminal(small_setup("grblhal")) as terminal:
        raised = []

        def open_it():
            try:
                open_stage("grblhal", terminal.port, boot_s=1.0).close()
            except DeviceError as error:
                raised.append(error)

        opening = threading.Thread(target=open_it, daemon=True)
        opening.start()
        try:
            assert _over(opening)
        finally:
            monkeypatch.undo()
    (error,) = raised
    assert isinstance(error, ConnectError)
    assert "greets again and again" in str(error)


def test_a_flood_of_greetings_is_refused_too(monkeypatch):
    step = Machine.next_due_s

    def chattering(machine):
        if not machine._out:
            machine._out.append((time.monotonic() + 0.02, f"\r\n{machine.kind.welcome}\r\n".encode()))
        return step(machine)

    monkeypatch.setattr(Machine, "next_due_s", chattering)
    with Terminal(small_setup("grblhal")) as terminal:
        raised = []

        def open_it():
            with pytest.raises(ConnectError, match="greets again and again") as error:
                open_stage("grblhal", terminal.port, boot_s=0.5)
            raised.append(error)

        opening = threading.Thread(target=open_it, daemon=True)
        opening.start()
        assert _over(opening)
        assert raised


class _Never(threading.Event):
    def set(self):
        pass


def test_a_path_that_does_not_end_after_a_reset_fails_and_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(grbl, "_ENDS_S", 0.1)
    with running("grblhal") as (terminal, stage):
        stage.follow([Pose(24, 0, 0)])
        until(lambda: terminal.moving)
        stage._journey.ended = _Never()
        stopping = threading.Thread(target=stage.stop, daemon=True)
        stopping.start()
        assert _over(stopping)
        with pytest.raises(DeviceError, match="goes on"):
            stage.pose()
        assert not terminal.moving


def test_a_port_that_does_not_return_is_left_to_its_guard(monkeypatch, caplog):
    monkeypatch.setattr(grbl_link, "_ENDS_S", 0.1)
    with running("grblhal") as (_, stage):
        link, free = stage._link, threading.Event()
        reading = threading.Event()

        def hanging(_):
            reading.set()
            free.wait(LIMIT_S)
            return b""

        monkeypatch.setattr(link._serial, "read", hanging)
        assert reading.wait(LIMIT_S)
        closing = threading.Thread(target=link.close, daemon=True)
        closing.start()
        try:
            assert _over(closing)
            assert "does not return" in caplog.text
            assert link._guard._process.poll() is None  # when we end it stops the controller
        finally:
            free.set()
            link._thread.join(LIMIT_S)
            link._guard.close()
            link._serial.close()


def test_a_guard_that_cannot_hold_resets_all_the_same():
    ours, port = socket.socketpair()
    with ours, port:
        port.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                port.send(bytes(1 << 16))  # a controller that has taken nothing for a while

        ours.settimeout(LIMIT_S)
        heard = []

        def drain():
            time.sleep(0.5)
            while not heard or heard[-1] == 0:
                heard.extend(ours.recv(1 << 16))

        draining = threading.Thread(target=drain, daemon=True)
        draining.start()
        watch(io.BytesIO(b""), port.fileno(), 0.1)
        assert _over(draining)
        assert set(heard) == {0, 0x18}


def test_a_controller_that_greets_and_does_not_answer_is_said(monkeypatch):
    receive = Machine.receive
    monkeypatch.setattr(Machine, "receive", lambda machine, data, now_s: b"\n" in data or receive(machine, data, now_s))
    with (
        Terminal(small_setup("grblhal")) as terminal,
        pytest.raises(DeviceError, match="no answer to an empty line; look"),
    ):
        open_stage("grblhal", terminal.port, boot_s=0.5)
