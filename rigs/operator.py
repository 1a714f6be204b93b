"""The person at a rig: is told what goes on, and asked to do what no device does."""

import os
import select
import sys
import termios
import threading
from typing import Protocol, TextIO

from natadv.errors import DeviceError

_LOOK_S = 0.1
_NO = frozenset({"q", "n", "no", "quit"})


class Operator(Protocol):
    """Whoever can be told and asked: at a terminal, at a page."""

    def tell(self, message: str) -> None:
        """Show a message; do not wait."""
        ...

    def ask(self, message: str) -> None:
        """Show what is to be done, and return when the person says that it is.

        Raises:
            DeviceError: if the person says no, nobody is there, or `cancel` is called meanwhile.
        """
        ...

    def cancel(self) -> None:
        """Let an `ask` that waits in another thread raise; without one, do nothing. Never raises."""
        ...


class TerminalOperator:
    """An `Operator` at the terminal: Enter says done, q says no.

    Args:
        answers: where answers are read; the program's standard input if None.
        messages: where messages go; its standard error if None.
    """

    def __init__(self, answers: TextIO | None = None, messages: TextIO | None = None) -> None:
        self._answers = answers
        self._messages = messages
        self._cancelled = threading.Event()

    def tell(self, message: str) -> None:
        """Write a line."""
        self._write(f"{message}\n")

    def ask(self, message: str) -> None:
        """Write a line and wait for one.

        Raises:
            DeviceError: as `Operator`.
        """
        self._cancelled.clear()
        try:
            descriptor = (self._answers or sys.stdin).fileno()
        except (OSError, ValueError) as error:
            raise DeviceError(f"{message}: nobody can say that it is done; run this in a terminal") from error
        if os.isatty(descriptor):  # what was typed before the question is no answer to it
            termios.tcflush(descriptor, termios.TCIFLUSH)
        self._write(f"{message} [Enter: done, q: stop] ")
        if self._line(descriptor, message).strip().lower() in _NO:
            raise DeviceError(f"{message}: the operator says no")

    def _line(self, descriptor: int, message: str) -> str:
        line = b""
        while not line.endswith(b"\n"):
            if self._cancelled.is_set():
                raise DeviceError(f"{message}: cancelled")
            ready, _, _ = select.select([descriptor], [], [], _LOOK_S)
            if ready:
                # One byte at a time: what comes after this line is the next answer.
                more = os.read(descriptor, 1)
                if not more:
                    raise DeviceError(f"{message}: nobody can say that it is done; run this in a terminal")
                line += more
        return line.decode("utf-8", "replace")

    def _write(self, text: str) -> None:
        stream = self._messages or sys.stderr
        stream.write(text)
        stream.flush()

    def cancel(self) -> None:
        """Let a waiting `ask` raise."""
        self._cancelled.set()
