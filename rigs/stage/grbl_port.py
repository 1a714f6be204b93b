"""A controller's port: opened, the plate brought to rest through it, and looked for again where it was lost."""

import errno
import time
from contextlib import closing
from importlib import import_module
from typing import Any

from natadv.errors import ConnectError
from rigs.stage.grbl_words import LineBuffer, read_welcome

HOLD, RESET = b"!", b"\x18"
READ_S = 0.02
RETURN_S = 2.0
"""For so long a lost port is looked for."""
GREET_S = 2.0
"""So long a board that was plugged in again takes to greet: boot loaders are slow."""
_LOOK_S = 0.1


def open_port(port: str, baud: int, taken_s: float = 0.0) -> Any:
    """Open a port.

    Args:
        port: path, or a URL of pyserial.
        baud: its speed, where it has one.
        taken_s: for so long one that is taken is waited for: the guard of a driver that was killed is at its work.

    Raises:
        ConnectError: if it cannot be opened.
    """
    serial = import_module("serial")
    end_s = time.monotonic() + taken_s
    while True:
        try:
            return serial.serial_for_url(port, baud, timeout=READ_S, write_timeout=1.0, exclusive=True)
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None) == errno.EAGAIN and time.monotonic() < end_s:
                time.sleep(READ_S)
                continue
            raise ConnectError(
                f"stage: {port}: cannot be opened ({error}); name it as in /dev/serial/by-id, and look who uses it"
            ) from error


def halt(serial: Any, brake_s: float, *, at_once: bool = False) -> bool:
    """Hold, let the plate come to rest, reset; return whether all that could be sent, to whoever hears it.

    Args:
        serial: the open port.
        brake_s: how long the plate takes to come to rest.
        at_once: reset without braking before.
    """
    try:
        if not at_once:
            serial.write(HOLD)
            time.sleep(brake_s)
        serial.write(RESET)
    except OSError:
        return False
    return True


def stop_what_comes_back(port: str, baud: int, brake_s: float) -> bool:
    """Look for a lost port for a moment and stop what is behind it; return whether that has greeted: it stands then."""
    end_s = time.monotonic() + RETURN_S
    while time.monotonic() < end_s:
        try:
            found = open_port(port, baud)
        except ConnectError:
            time.sleep(_LOOK_S)
            continue
        with closing(found):
            if halt(found, brake_s):
                return _greets(found)
    return False


def _greets(serial: Any) -> bool:
    lines, end_s = LineBuffer(), time.monotonic() + GREET_S
    try:
        while time.monotonic() < end_s:
            if any(read_welcome(line) for line in lines.feed(serial.read(max(1, serial.in_waiting)))):
                return True
    except OSError:
        return False
    return False
