"""The loopback bench: a virtual display and a controller's stand-in, for rigs/loopback.yaml with nothing attached."""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from natadv.errors import ConnectError

DISPLAY_PROCESS: Final = "NATADV_DISPLAY_PROCESS"
"""Name in the environment of the display's process, for who wants to see what a session does without it."""

STAGE: Final = "NATADV_STAGE"
"""Name in the environment of the controller's port."""

STAGE_TRUTH: Final = "NATADV_STAGE_TRUTH"
"""Name in the environment of the socket that tells where the plate is; see rigs/firmware/truth.py."""

_START_S: Final = 30.0
_END_S: Final = 5.0
_PRIORITY: Final = 10
_SET_PARENT_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG of prctl(2)


@contextlib.contextmanager
def loopback(width_px: int = 1280, height_px: int = 720) -> Iterator[dict[str, str]]:
    """Run the bench's servers, and take them down whatever happens; where we are killed, the system does.

    Args:
        width_px: of the display.
        height_px: of the display.

    Yields:
        The names in the environment by which rigs/loopback.yaml finds them.

    Raises:
        ConnectError: if a server is missing or does not start.
    """
    with (
        tempfile.TemporaryDirectory(prefix="natadv-loopback-") as folder,
        _display(f"{width_px}x{height_px}x24") as (display, process),
        _stage(Path(folder)) as (port, truth),
    ):
        yield {"DISPLAY": display, DISPLAY_PROCESS: str(process), STAGE: port, STAGE_TRUTH: truth}


def run(command: list[str], environment: dict[str, str]) -> int:
    """Run a command with these names in its environment; return its exit code, 128 + n if signal n ended it.

    It may end in its own time: Ctrl-C reaches it from the terminal, SIGTERM is handed on, and we wait.

    Raises:
        ConnectError: if there is no such command.
    """
    try:
        child = subprocess.Popen(command, env={**os.environ, **environment})
    except OSError as error:
        raise ConnectError(f"{command[0]}: cannot be run ({error.strerror})") from error
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: child.terminate()),
    }
    try:
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def _display(screen: str) -> Iterator[tuple[str, int]]:
    """Run an X server without a monitor; give its name and process."""
    program = shutil.which("Xvfb")
    if program is None:
        raise ConnectError("loopback: Xvfb is not installed; install it, on Debian by apt-get install xvfb")
    reading, writing = os.pipe()
    try:
        server = subprocess.Popen(
            [program, "-displayfd", str(writing), "-screen", "0", screen, "-nolisten", "tcp", "-noreset"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[writing],
            # Ctrl-C is for the command, which needs its display until it has stopped its devices.
            start_new_session=True,
            preexec_fn=_as_a_device,  # noqa: PLW1509  # commands begin with this, before any thread
        )
    finally:
        os.close(writing)
    try:
        with open(reading, encoding="ascii") as said:  # noqa: PTH123  # a descriptor, not a path
            ready = select.select([said], [], [], _START_S)[0]
            number = said.readline().strip() if ready else ""
        if not number:
            raise ConnectError(f"loopback: {program} does not start; run it yourself to see why")
        yield f":{number}", server.pid
    finally:
        _end(server)


@contextlib.contextmanager
def _stage(folder: Path) -> Iterator[tuple[str, str]]:
    """Run a stand-in of GRBL 1.1h; give its port and the socket of its truth."""
    port, truth = folder / "stage", folder / "truth"
    server = subprocess.Popen(
        [sys.executable, "-m", "rigs.firmware", "--kind", "grbl", "--link", port, "--truth", truth],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
        start_new_session=True,
        preexec_fn=_as_a_device,  # noqa: PLW1509
    )
    try:
        with server.stdout or contextlib.nullcontext() as said:
            if said is None or not select.select([said], [], [], _START_S)[0] or not said.readline():
                raise ConnectError("loopback: the controller's stand-in does not start; try python -m rigs.firmware")
        yield str(port), str(truth)
    finally:
        _end(server)


def _as_a_device() -> None:
    """Make the process that is about to start end with us, and answer as promptly as a device."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        # A display that is slow to answer makes the camera's frames late; without the right to this it may be.
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_PRIORITY))


def _end(server: "subprocess.Popen[bytes]") -> None:
    server.terminate()
    try:
        server.wait(_END_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
