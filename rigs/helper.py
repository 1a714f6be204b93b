"""Helper: a process of our own that holds a library which our process cannot safely hold, and a line to it.

Window toolkits end the process whose display goes away, and the wheels of two libraries may bring parts of X11 of one
name that do not go together. In a process of its own the one takes nothing with it, and the others never meet.
"""

import contextlib
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any, Final

from natadv.errors import DeviceError

_CLOSE_S: Final = 3.0
_STUCK_S: Final = 10.0  # for a part of what is said; the process is stopped, or hangs, if it takes longer


class Helper:
    """A `python -m MODULE FD`, FD being its end of the line; it ends when the line does.

    It is spoken to from one thread at a time, and may be closed from any: whoever waits for an answer is told so.
    """

    def __init__(self, module: str, *, name: str, display: str | None, change: Mapping[str, str] | None = None) -> None:
        """Start it.

        Args:
            module: what to run.
            name: of the device that needs it, to begin errors with.
            display: the X display that it is to use; None for the environment's.
            change: variables of its environment that are to be other than ours.
        """
        self._name = name
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the process that writes to it
        # It must find this package wherever our own start was from.
        path = os.pathsep.join(entry for entry in sys.path if entry)
        environment = {**os.environ, "PYTHONPATH": path, **(change or {}), **({"DISPLAY": display} if display else {})}
        ours, theirs = socket.socketpair()
        for way in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            ours.setsockopt(socket.SOL_SOCKET, way, struct.pack("ll", *divmod(round(1e6 * _STUCK_S), 1_000_000)))
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                pass_fds=[theirs.fileno()],
                env=environment,
            )
        self._plug = ours.dup()
        self._line: Connection[Any, Any] | None = Connection(ours.detach())
        self._turn = threading.Lock()  # held in a call: what it uses is let go when it has returned
        self._closing = False
        self._stuck: DeviceError | None = None

    def send(self, message: Any) -> None:
        """Say something.

        Raises:
            DeviceError: if it is closed or gone, or does not take it.
        """
        with self._turn:
            line = self._open()
            try:
                line.send(message)
            except BlockingIOError as error:
                raise self._broken_off("does not take what it is sent") from error
            except OSError as error:
                raise self._gone() from error

    def receive(self, timeout_s: float) -> Any:
        """Return what it says next, or None if it says nothing in time.

        Raises:
            DeviceError: if it is closed or gone, or says half of it.
        """
        with self._turn:
            line = self._open()
            try:
                return line.recv() if line.poll(timeout_s) else None
            except BlockingIOError as error:
                raise self._broken_off("stopped in the midst of an answer") from error
            except (EOFError, OSError) as error:
                raise self._gone() from error

    def close(self) -> None:
        """End it; may be called twice, and from any thread: it ends a call that waits."""
        self._closing = True
        with contextlib.suppress(OSError):  # closed before
            self._plug.shutdown(socket.SHUT_RDWR)  # closing a descriptor would not wake who waits for it
        with self._turn:
            if self._line is None:
                return
            self._line.close()
            self._line = None
            self._plug.close()
            try:
                self._process.wait(_CLOSE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):  # a system that does not let go of its device
                    self._process.wait(_CLOSE_S)
            self._said.close()

    def _open(self) -> "Connection[Any, Any]":
        if self._line is None or self._closing:
            raise DeviceError(f"{self._name}: closed")
        if self._stuck is not None:
            raise DeviceError(*self._stuck.args)
        return self._line

    def _broken_off(self, how: str) -> DeviceError:
        """Return an error, also of all calls that follow: half a word is in the line."""
        self._stuck = DeviceError(f"{self._name}: {how}; look at the machine and its display, then go on with --resume")
        return self._stuck

    def _gone(self) -> DeviceError:
        """Return an error with what it said last, where a library tells why it ended the process."""
        if self._closing:
            return DeviceError(f"{self._name}: closed")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_CLOSE_S)
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        why = said[-1][:200] if said else f"its process ended with {self._process.poll()}"
        return DeviceError(f"{self._name}: gone ({why}); look at the display, then go on with --resume")
