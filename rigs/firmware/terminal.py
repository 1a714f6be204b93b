"""The stand-in on a pseudo-terminal, with a side door through which a test learns the truth and makes trouble."""

import contextlib
import os
import pty
import random
import select
import threading
import time
from pathlib import Path
from typing import Self

from rigs.firmware.kinds import KINDS, Setup
from rigs.firmware.machine import Machine
from rigs.firmware.motion import Point

_BUSY_S = 0.0005
_IDLE_S = 0.01
_CHUNK = 24


class Terminal:
    """A controller behind a port that a serial library can open; a context manager.

    Its clock is the machine's monotonic one, which all processes share.

    Args:
        setup: how it is set up.
        link: where to put a link to the port, which stays the same when the port is plugged in again; none if None.

    Attributes:
        garbage: a fault: share of the bytes sent that are another.
    """

    def __init__(self, setup: Setup, link: Path | None = None) -> None:
        self._setup = setup
        self._link = link
        self._machine = Machine(setup, time.monotonic())
        self._chance = random.Random(setup.seed)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="firmware", daemon=True)
        self._master: int | None = None
        self._port = ""
        self.garbage = 0.0

    def __enter__(self) -> Self:
        """Switch it on and plug it in."""
        self.plug()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Switch it off."""
        self._stop.set()
        self._thread.join()
        self.unplug()

    @property
    def port(self) -> str:
        """What to open."""
        return str(self._link or self._port)

    def plug(self) -> None:
        """Plug the cable in: there is a port."""
        master, slave = pty.openpty()
        self._port = os.ttyname(slave)
        os.close(slave)
        os.set_blocking(master, False)
        if self._link is not None:
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(self._port)
        with self._lock:
            self._master = master

    def unplug(self) -> None:
        """Pull the cable: there is no port any more; the controller goes on."""
        with self._lock:
            if self._master is not None:
                os.close(self._master)
                self._master = None
        if self._link is not None:
            self._link.unlink(missing_ok=True)

    # What is true, at any moment.

    def position_at(self, time_s: float) -> Point:
        """Return where the carriage was at a moment of the monotonic clock, in machine coordinates by axis."""
        with self._lock:
            self._machine.advance(time.monotonic())
            return self._machine.true_position(time_s)

    @property
    def moving(self) -> bool:
        """Whether the carriage moves."""
        with self._lock:
            self._machine.advance(time.monotonic())
            return self._machine.moving

    @property
    def coolant(self) -> str:
        """Outputs that are on: `F` for M8, `M` for M7."""
        with self._lock:
            self._machine.advance(time.monotonic())
            return "".join(sorted(self._machine.coolant))

    @property
    def state(self) -> str:
        """What its reports would say."""
        with self._lock:
            return self._machine.state

    # Trouble.

    def strike(self) -> None:
        """Run against a limit switch."""
        with self._lock:
            self._machine.strike(time.monotonic())

    def power_up(self) -> None:
        """Restart it."""
        with self._lock:
            self._machine.power_up(time.monotonic())

    def set(self, name: str, value: float) -> None:
        """Set a fault: `late_s` and `deaf` of the machine, or `garbage`.

        Raises:
            ValueError: if there is no such fault.
        """
        with self._lock:
            if name == "garbage":
                self.garbage = value
            elif name == "late_s":
                self._machine.late_s = value
            elif name == "deaf":
                self._machine.deaf = bool(value)
            else:
                raise ValueError(f"expected late_s, deaf or garbage, got {name!r}")

    # The cable.

    def _serve(self) -> None:
        is_open = False
        while not self._stop.is_set():
            with self._lock:
                is_open = self._pass(is_open)
            self._wait(is_open)

    def _wait(self, is_open: bool) -> None:
        """Sleep until there is something to do, at most for a moment."""
        master = self._master
        busy = self._machine.moving or self._machine.next_due_s() is not None
        if master is None or not is_open:
            time.sleep(_BUSY_S if busy else _IDLE_S)
            return
        with contextlib.suppress(OSError, ValueError):  # the cable may be pulled while we wait
            select.select([master], [], [], _BUSY_S if busy else _IDLE_S)

    def _pass(self, was_open: bool) -> bool:
        """Carry bytes both ways; return whether somebody has the port open."""
        now_s = time.monotonic()
        self._machine.advance(now_s)
        data = self._machine.sent_by(now_s)
        if self._master is None:
            return False
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        events = poll.poll(0)
        happened = events[0][1] if events else 0
        if not was_open and not happened & select.POLLHUP and KINDS[self._setup.kind].resets_at_open:
            self._machine.power_up(now_s)
        try:
            if happened & select.POLLIN:  # what was sent before the port was closed has been sent
                self._machine.receive(os.read(self._master, 256), time.monotonic())
            if happened & select.POLLHUP:
                return False
            self._send(data)
        except BlockingIOError:  # nobody reads: what does not fit is lost, as on a real line
            return True
        except OSError:
            return False
        return True

    def _send(self, data: bytes) -> None:
        if self._master is None:
            return
        if self.garbage:
            data = bytes(self._chance.randrange(256) if self._chance.random() < self.garbage else b for b in data)
        while data:  # in pieces that end anywhere, as a driver gets them
            size = self._chance.randint(1, _CHUNK)
            os.write(self._master, data[:size])
            data = data[size:]
