"""The faults that a campaign makes from outside of the process that records."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import Any, Literal

from rigs.firmware.truth import Truth
from rigs.loopback import DISPLAY_PROCESS, STAGE_TRUTH

_BALLAST = "ballast"
_CHUNK = 1 << 20


@dataclass
class Stand:
    """What a campaign can lay hands on.

    Attributes:
        names: of the loopback bench's environment; none where all devices are simulated.
        disk: where sessions are kept; nothing else is on it.
        process: that records.
    """

    names: dict[str, str]
    disk: Path
    process: "subprocess.Popen[bytes] | None" = None
    _display: int = field(init=False)
    _server: "subprocess.Popen[bytes] | None" = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._display = int(self.names.get(DISPLAY_PROCESS, 0))

    @property
    def environment(self) -> dict[str, str]:
        """For the process that records."""
        return {**os.environ, **self.names}

    def signal(self, number: int) -> None:
        """Send the process that records a signal, if it is still there."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def signal_display(self, number: int) -> None:
        """Send the display's server a signal."""
        with suppress(ProcessLookupError):
            os.kill(self._display, number)

    def show_again(self) -> None:
        """Start the display's server anew, by the name that it had."""
        name = self.names["DISPLAY"]
        number = name.removeprefix(":")
        for left in (Path(f"/tmp/.X{number}-lock"), Path(f"/tmp/.X11-unix/X{number}")):
            left.unlink(missing_ok=True)
        command = ["Xvfb", name, "-screen", "0", "1280x720x24", "-nolisten", "tcp", "-noreset"]
        quiet: Any = subprocess.DEVNULL
        self._server = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
        self._display = self._server.pid

    def close(self) -> None:
        """End the display's server if it is one that was started here; the bench ends its own."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()

    def controller(self, *names: str, **faults: float) -> None:
        """Let the controller's stand-in do things, and set its faults."""
        with Truth(Path(self.names[STAGE_TRUTH])) as truth:
            if faults:
                truth.set(**faults)
            if names:
                truth.do(*names)

    def fill(self) -> None:
        """Fill the disk to the last byte."""
        with (self.disk / _BALLAST).open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(_CHUNK))
        with (self.disk / _BALLAST).open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"\0")

    def free(self) -> None:
        """Take that away again."""
        (self.disk / _BALLAST).unlink(missing_ok=True)

    def clear(self) -> None:
        """Make room for the next session; logs stay."""
        for folder in self.disk.glob("session-*"):
            if folder.is_dir():
                rmtree(folder)


Make = Callable[[Stand, random.Random], None]


@dataclass(frozen=True)
class Fault:
    """One kind.

    Attributes:
        make: makes it, and may wait for a while.
        mend: takes its cause away.
        ends: whether the process has to end of it.
        cuts_off: whether nobody can tell the controller to stop meanwhile.
        weight: how often it is chosen.
        of: what it is a fault of.
    """

    name: str
    make: Make
    mend: Callable[[Stand], None] = lambda _: None
    ends: bool = False
    cuts_off: bool = False
    weight: float = 1.0
    of: Literal["process", "disk", "display", "controller"] = "controller"


def _for(chance: random.Random, low_s: float, high_s: float) -> None:
    time.sleep(chance.uniform(low_s, high_s))


def _without_display(stand: Stand, chance: random.Random) -> None:
    stand.signal_display(signal.SIGKILL)
    _for(chance, 0.5, 3.0)
    stand.show_again()


def _frozen_display(stand: Stand, chance: random.Random) -> None:
    stand.signal_display(signal.SIGSTOP)
    _for(chance, 0.3, 8.0)
    stand.signal_display(signal.SIGCONT)


def _frozen(stand: Stand, chance: random.Random) -> None:
    stand.signal(signal.SIGSTOP)
    _for(chance, 0.1, 3.0)
    stand.signal(signal.SIGCONT)


def _unplugged(stand: Stand, chance: random.Random) -> None:
    stand.controller("unplug")
    _for(chance, 0.2, 3.0)
    stand.controller("plug")


def _controller(name: str, low: float, high: float) -> Make:
    def make(stand: Stand, chance: random.Random) -> None:
        stand.controller(**{name: chance.uniform(low, high) if low < high else low})
        _for(chance, 0.5, 3.0)
        stand.controller(**{name: 0.0})

    return make


FAULTS = (
    Fault(
        "process killed (SIGKILL)", lambda stand, _: stand.signal(signal.SIGKILL), ends=True, weight=1.5, of="process"
    ),
    Fault("process ended (SIGTERM)", lambda stand, _: stand.signal(signal.SIGTERM), ends=True, of="process"),
    Fault("process stopped for 0.1 to 3 s", _frozen, of="process"),
    Fault("disk full", lambda stand, _: stand.fill(), Stand.free, ends=True, of="disk"),
    Fault("display's server killed", _without_display, of="display"),
    Fault("display's server stalls for 0.3 to 8 s", _frozen_display, of="display"),
    Fault("controller unplugged for 0.2 to 3 s", _unplugged, cuts_off=True),
    Fault("controller resets", lambda stand, _: stand.controller("power_up")),
    Fault("limit switch struck", lambda stand, _: stand.controller("strike")),
    Fault("controller deaf for 0.5 to 3 s", _controller("deaf", 1.0, 1.0), cuts_off=True),
    Fault("controller answers 0.2 to 1.5 s late", _controller("late_s", 0.2, 1.5)),
    Fault("garbled line to the controller, 1 to 10 %", _controller("garbage", 0.01, 0.1)),
)
