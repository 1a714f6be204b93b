"""A line to a GRBL controller: one line at a time is sent and answered, reports come in between, silence is noticed.

A thread of its own reads, asks for reports and keeps watch. What fails, fails for good: the controller is stopped as
well as it still can be, and every later call raises the same error, until the port is opened anew.
"""

import contextlib
import errno
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from natadv.errors import ConnectError, DeviceError
from rigs.clock import Clock
from rigs.stage.grbl_guard import Guard
from rigs.stage.grbl_words import ALARMS, ERRORS, LineBuffer, Reply, Status, read_reply, read_status, read_welcome

HOLD, RESET, JOG_CANCEL, ASK = b"!", b"\x18", b"\x85", b"?"
LINE_CHARS = 79
"""GRBL 1.1 takes no longer line."""
_POLL_S = 0.2
_READ_S = 0.02
_RESET_S = 2.0
_BOOT_POLL_S = 0.3
_QUIET_S = 0.1
_RETURN_S = 2.0
_TAKEN_S = 1.0
_PINGS = 6
_PING_CHARS = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one line.

    Attributes:
        sent_s: when the line began to be sent.
        heard_s: when its ok was heard.
        said: lines that came before the ok.
    """

    sent_s: float
    heard_s: float
    said: tuple[str, ...]


class RestartedError(DeviceError):
    """The controller was reset while an answer was awaited."""


class GrblLink:
    """An open port.

    Args:
        port: path, or a URL of pyserial as socket://HOST:PORT.
        baud: its speed, where it has one.
        clock: stamps what is heard.
        silence_s: a controller that says nothing for so long has failed.
        brake_s: how long the plate takes to come to rest.

    Attributes:
        failure: what is wrong; None while nothing is.
        on_status: called with every report, and between when and when it was true; in the link's thread.
        char_s: how long a character takes on the wire, as measured by `measure`.
        welcome: the line by which the controller greeted last.

    Raises:
        ConnectError: if the port cannot be opened.
    """

    def __init__(self, port: str, baud: int, clock: Clock, silence_s: float, brake_s: float) -> None:
        self.failure: DeviceError | None = None
        self.on_status: Callable[[Status, float, float], None] = lambda *_: None
        self.char_s = 0.0
        self.welcome = ""
        self._port, self._baud = port, baud
        self._clock = clock
        self._silence_s, self._brake_s = silence_s, brake_s
        self._serial = _open(port, baud, taken_s=brake_s + _TAKEN_S)
        self._guard = Guard(self._serial.fileno(), brake_s)
        self._writing = threading.Lock()
        self._turn = threading.Lock()
        self._heard: queue.SimpleQueue[tuple[float, str | Reply | DeviceError]] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._status: tuple[Status, float, float] | None = None
        self._welcomes = 0
        self._asked_s: float | None = None
        self._expecting = True
        self._watching = False
        self._last_s = clock.now_s()
        self._closing = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._listen, name=f"grbl {port}", daemon=True)
        self._thread.start()

    # What is sent.

    def command(self, line: str, timeout_s: float = 2.0, *, before: Callable[[float], bool] | None = None) -> Answer:
        """Send a line and return its answer.

        Args:
            line: without its end.
            timeout_s: how long its work may take.
            before: called with the time just before the line is sent; False keeps it from being sent.

        Raises:
            RestartedError: if the controller is reset meanwhile, or `before` said no.
            DeviceError: if it refuses the line, or does not answer in time.
        """
        return self.program([line], timeout_s, before=before)

    def program(
        self, lines: Sequence[str], timeout_s: float, *, before: Callable[[float], bool] | None = None
    ) -> Answer:
        """Send lines in one go, so that the controller has the last of them even if we never come to send more.

        Raises:
            ValueError: if a line is longer than a controller takes.
            RestartedError: as `command`.
            DeviceError: as `command`.
        """
        if too_long := [line for line in lines if len(line) > LINE_CHARS]:
            raise ValueError(f"expected a line of at most {LINE_CHARS} characters, got {len(too_long[0])}")
        with self._turn:
            self.check()
            while not self._heard.empty():
                self._heard.get()
            data = "".join(f"{line}\n" for line in lines).encode()
            with self._writing:
                sent_s = self._clock.now_s()
                if before is not None and not before(sent_s):
                    raise RestartedError(f"{self._port}: stopped")
                self._write(data)
            end_s, said = time.monotonic() + timeout_s, []
            waiting = len(lines)
            while True:
                heard_s, word = self._next(end_s, lines[-waiting])
                if isinstance(word, str):
                    said.append(word)
                elif word.word == "error":
                    why = ERRORS.get(word.number, "see its list of errors")
                    raise DeviceError(f"{self._port}: {lines[-waiting]}: error:{word.number}, {why}")
                else:
                    waiting -= 1
                    if not waiting:
                        return Answer(sent_s, heard_s, tuple(said))

    def _next(self, end_s: float, line: str) -> tuple[float, str | Reply]:
        try:
            heard_s, word = self._heard.get(timeout=max(0.0, end_s - time.monotonic()))
        except queue.Empty:
            raise DeviceError(f"{self._port}: no answer to {line}; look at the controller and its cable") from None
        if isinstance(word, DeviceError):
            raise word
        return heard_s, word

    def now(self, characters: bytes) -> None:
        """Send characters that act at once.

        Raises:
            DeviceError: if the port is lost.
        """
        self.check()
        with self._writing:
            self._write(characters)

    def _write(self, data: bytes) -> None:
        try:
            self._serial.write(data)
        except OSError as error:
            self._fail(self._lost(error))
            raise self._lost(error) from error

    def reset(self, timeout_s: float = _RESET_S) -> None:
        """Reset the controller, and return when it greets again: no motion is planned then, all outputs are off.

        Raises:
            DeviceError: if it does not greet in time.
        """
        self._expecting = True
        try:
            with self._changed:
                before = self._welcomes
                self.now(RESET)
                if not self._changed.wait_for(lambda: self._welcomes > before or self.failure, timeout_s):
                    raise DeviceError(f"{self._port}: does not greet after a reset; switch the controller off and on")
            self.check()
        finally:
            self._expecting = False

    def greet(self, timeout_s: float) -> None:
        """Reset a controller whose port was just opened, and wait until it has greeted for the last time.

        Raises:
            ConnectError: if nothing greets.
        """
        end_s = time.monotonic() + timeout_s
        while not self._welcomes:
            self.now(RESET)
            with self._changed:
                self._changed.wait_for(lambda: self._welcomes or self.failure, _BOOT_POLL_S)
            if time.monotonic() > end_s:
                raise ConnectError(f"{self._port}: no GRBL greets there in {timeout_s:g} s; look at `port` and `baud`")
        # Of several resets that waited in a board that was starting, each has its greeting.
        with self._changed:
            while self._changed.wait(_QUIET_S):
                pass
        self._expecting = False

    def report(self, timeout_s: float, wanted: Callable[[Status], bool] = lambda _: True) -> Status:
        """Ask until a report, true after this call, is a wanted one, and return it.

        Raises:
            DeviceError: if none comes in time.
        """
        begun_s, end_s = self._clock.now_s(), time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            self._ask()
            with self._changed:
                self._changed.wait(2 * _READ_S)
                found = self._status
            self.check()
            if found is not None and found[1] >= begun_s and wanted(found[0]):
                return found[0]
        raise DeviceError(f"{self._port}: no report in {timeout_s:.1f} s as was expected; look at the controller")

    def _ask(self) -> None:
        with self._writing:
            if self._asked_s is None or self._clock.now_s() - self._asked_s > _POLL_S:
                self._write(ASK)
                # Of two questions the controller may answer either, but none that was not asked.
                self._asked_s = self._asked_s or self._clock.now_s()

    def measure(self) -> None:
        """Measure what a character takes: a long comment is answered later than a short one by that.

        Raises:
            DeviceError: if they are not answered.
        """
        short, long = "", f"({'-' * _PING_CHARS})"
        times_s = {line: [self.command(line) for _ in range(_PINGS)] for line in (short, long)}
        quickest = {line: min(a.heard_s - a.sent_s for a in answers) for line, answers in times_s.items()}
        self.char_s = max(0.0, (quickest[long] - quickest[short]) / len(long))

    # What is watched.

    def watch(self, on: bool) -> None:
        """Ask for reports, and take silence as failure; not while it homes, when GRBL says nothing."""
        self._last_s = self._clock.now_s()
        self._watching = on

    def check(self) -> None:
        """Raise what is wrong.

        Raises:
            DeviceError: if it has failed, or is closed.
        """
        if self.failure is not None:
            raise type(self.failure)(*self.failure.args)

    def fail(self, error: DeviceError, *, at_once: bool = False) -> None:
        """Stop the controller, without hoping for answers, and let every later call raise this error.

        Args:
            error: what is wrong.
            at_once: reset it without braking before; while it homes there is no other way.
        """
        if self._fail(error):
            self._halt(self._serial, at_once=at_once)

    def _fail(self, error: DeviceError) -> bool:
        with self._changed:
            if self.failure is not None:
                return False
            self.failure = error
            self._changed.notify_all()
        self._heard.put((0.0, error))
        return True

    def _halt(self, serial: Any, *, at_once: bool = False) -> None:
        with contextlib.suppress(OSError):
            if not at_once:
                serial.write(HOLD)
                time.sleep(self._brake_s)
            serial.write(RESET)

    def _lost(self, error: OSError) -> DeviceError:
        return DeviceError(f"{self._port}: the controller is gone ({error}); look at its cable, then go on")

    def close(self) -> None:
        """Let the port go; may be called twice."""
        if self._closed:
            return
        self._closed = True
        self._closing.set()
        self._thread.join()
        self._guard.close()
        self._serial.close()
        self._fail(DeviceError(f"{self._port}: closed"))

    # What is heard.

    def _listen(self) -> None:
        lines = LineBuffer()
        poll_s = 0.0
        while not self._closing.is_set() and self.failure is None:
            try:
                data = self._serial.read(max(1, self._serial.in_waiting))
                now_s = self._clock.now_s()
                for line in lines.feed(data):
                    self._last_s = now_s
                    self._hear(line, now_s)
                if self._watching and now_s >= poll_s:
                    poll_s = now_s + _POLL_S
                    self._ask()
            except OSError as error:
                self._fail(self._lost(error))
                self._stop_what_comes_back()
                return
            except DeviceError:  # noted where it was raised
                return
            if self._watching and now_s - self._last_s > self._silence_s:
                quiet = f"{self._port}: nothing heard for {self._silence_s:g} s; look at the controller and its cable"
                self.fail(DeviceError(quiet))

    def _hear(self, line: str, now_s: float) -> None:
        status, reply = read_status(line), read_reply(line)
        if status is not None:
            asked_s, self._asked_s = self._asked_s, None
            if asked_s is not None:
                self.on_status(status, asked_s, now_s)
                with self._changed:
                    self._status = (status, asked_s, now_s)
                    self._changed.notify_all()
        elif reply is not None and reply.word == "ALARM":
            self._hear_alarm(reply.number)
        elif reply is not None:
            self._heard.put((now_s, reply))
        elif read_welcome(line):
            self._hear_welcome(line, now_s)
        elif not line.startswith(("<", "[MSG:", ">")):
            self._heard.put((now_s, line))

    def _hear_alarm(self, number: int) -> None:
        if self._expecting and not self._watching:  # while the port is opened, an old alarm may still be told
            return
        why = ALARMS.get(number, "see its list of alarms")
        if self._fail(DeviceError(f"{self._port}: ALARM:{number}, {why}; look at the stage, then begin anew")):
            # It stands already. GRBL says nothing more until it is reset, and its outputs are off for certain then.
            with contextlib.suppress(OSError):
                self._serial.write(RESET)

    def _hear_welcome(self, line: str, now_s: float) -> None:
        while not self._heard.empty():
            self._heard.get()
        self._heard.put((now_s, RestartedError(f"{self._port}: it was reset")))
        with self._changed:
            self._welcomes += 1
            self.welcome = line
            self._asked_s = None
            self._changed.notify_all()
        if not self._expecting:
            self._fail(DeviceError(f"{self._port}: the controller restarted by itself; look at its supply"))

    def _stop_what_comes_back(self) -> None:
        """Try for a moment to find the port again, to stop what is behind it."""
        end_s = time.monotonic() + _RETURN_S
        while time.monotonic() < end_s and not self._closing.wait(_POLL_S):
            with contextlib.suppress(ConnectError):
                found = _open(self._port, self._baud)
                self._halt(found)
                found.close()
                return


def _open(port: str, baud: int, taken_s: float = 0.0) -> Any:
    """Open a port; one that is taken is waited for: the guard of a driver that was killed is still at its work."""
    serial = import_module("serial")
    end_s = time.monotonic() + taken_s
    while True:
        try:
            return serial.serial_for_url(port, baud, timeout=_READ_S, write_timeout=1.0, exclusive=True)
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None) == errno.EAGAIN and time.monotonic() < end_s:
                time.sleep(_READ_S)
                continue
            raise ConnectError(
                f"{port}: cannot be opened ({error}); name it as in /dev/serial/by-id, and look who uses it"
            ) from error
