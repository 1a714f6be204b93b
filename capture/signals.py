"""Signals that ask a session to end in good order: Ctrl-C, SIGTERM, and SIGHUP, as of a connection that broke.

Each becomes a KeyboardInterrupt in the main thread. While that is blocked in a driver's C code it cannot be raised;
what came is known all the same, from any thread, by Python's wake-up descriptor.
"""

import os
import signal
import socket
from types import FrameType
from typing import Final, NoReturn, Self

_ASKING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Takes these signals, as a context manager of the main thread; what handled them before does so again after."""

    def __init__(self) -> None:
        self._asked = False
        self._terminals = [descriptor for descriptor in (0, 1, 2) if os.isatty(descriptor)]

    def __enter__(self) -> Self:
        """Take them."""
        self._known, self._woken = socket.socketpair()
        for end in (self._known, self._woken):
            end.setblocking(False)
        self._before_fd = signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        self._before = {signal.SIGTERM: signal.signal(signal.SIGTERM, signal.default_int_handler)}
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup's wish is kept
            self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._hung_up)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave them to what handled them before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._before_fd)
        self._known.close()
        self._woken.close()

    @property
    def asked(self) -> bool:
        """Whether one of them has come; any thread may ask."""
        try:
            came = self._known.recv(4096)
        except OSError:  # nothing new, or all is over
            came = b""
        self._asked = self._asked or any(number in _ASKING for number in came)
        return self._asked

    def _hung_up(self, number: int, frame: FrameType | None) -> NoReturn:
        # Nobody reads there any more, and a terminal that is gone makes an error of every word.
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in self._terminals:
            os.dup2(nowhere, descriptor)
        os.close(nowhere)
        raise KeyboardInterrupt
