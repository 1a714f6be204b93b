"""A line to a GRBL controller: one line at a time is sent and answered, reports come in between, silence is noticed.

A thread of its own reads, asks for reports and keeps watch. What fails, fails for good: the controller is stopped as
well as it still can be, and every later call raises the same error, until the port is opened anew.
"""

import contextlib
import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from natadv.errors import DeviceError
from rigs.clock import Clock
from rigs.stage.grbl_guard import Guard
from rigs.stage.grbl_port import GREET_S, READ_S, RETURN_S, halt, open_port, stop_what_comes_back
from rigs.stage.grbl_words import (
    ALARMS,
    ERRORS,
    Answer,
    LineBuffer,
    Reply,
    Status,
    read_reply,
    read_status,
    read_welcome,
)

JOG_CANCEL, ASK = b"\x85", b"?"
LINE_CHARS = 79  # GRBL 1.1 takes no longer line
_POLL_S = 0.2
_TAKEN_S = 1.0
_GREETS_S = 0.5
"""A controller that hears a reset greets within that."""
_ENDS_S = 5.0
"""Longer than a halt through a port that is lost."""

_log = logging.getLogger(__name__)


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
        char_s: how long a character takes on the wire; see grbl_ping.py.
        welcome: the line by which the controller greeted last.
        axes: how many numbers a whole report has; None while that is not known.
        name: the stage, as errors begin with it.
        greetings: heard so far; see grbl_greeting.py.
        expecting: whether a greeting follows something that we did; another is a failure.

    Raises:
        ConnectError: if the port cannot be opened.
    """

    def __init__(self, port: str, baud: int, clock: Clock, silence_s: float, brake_s: float) -> None:
        self.failure: DeviceError | None = None
        self.on_status: Callable[[Status, float, float], None] = lambda *_: None
        self.char_s = 0.0
        self.welcome = ""
        self.axes: int | None = None
        self.name = f"stage: {port}"  # an error says first whose it is
        self.greetings = 0
        self.expecting = True
        self._port, self._baud = port, baud
        self._clock = clock
        self._silence_s, self._brake_s = silence_s, brake_s
        self._serial = open_port(port, baud, taken_s=brake_s + _TAKEN_S)
        self._guard = Guard(self._serial.fileno(), brake_s)
        self._writing = threading.Lock()
        self._turn = threading.Lock()
        self._heard: queue.SimpleQueue[tuple[float, str | Reply | DeviceError]] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._status: tuple[Status, float, float] | None = None
        self._halts = 0  # that are under way
        self._halted_s = -math.inf
        self._gone = self._stands = False
        self._asked_s: float | None = None
        self._watching = False
        self._last_s = clock.now_s()
        self._poll_s = 0.0
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
            self._forget_heard()
            data = "".join(f"{line}\n" for line in lines).encode()
            with self._writing:
                sent_s = self._clock.now_s()
                if before is not None and not before(sent_s):
                    raise RestartedError(f"{self.name}: stopped")
                self._write(data)
            end_s, said = time.monotonic() + timeout_s, []
            waiting = len(lines)
            while True:
                heard_s, word = self._next(end_s, lines[-waiting])
                if isinstance(word, str):
                    said.append(word)
                elif word.word == "error":
                    why = ERRORS.get(word.number, "see its list of errors")
                    raise DeviceError(f"{self.name}: {lines[-waiting]}: error:{word.number}, {why}")
                else:
                    waiting -= 1
                    if not waiting:
                        return Answer(sent_s, heard_s, tuple(said))

    def _forget_heard(self) -> None:
        # Two threads may: one that saw something there, and waited for it, could wait for ever.
        with contextlib.suppress(queue.Empty):
            while True:
                self._heard.get_nowait()

    def _next(self, end_s: float, line: str) -> tuple[float, str | Reply]:
        try:
            heard_s, word = self._heard.get(timeout=max(0.0, end_s - time.monotonic()))
        except queue.Empty:
            asked = line or "an empty line"
            raise DeviceError(f"{self.name}: no answer to {asked}; look at the controller and its cable") from None
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
            raise self._lose(error) from error

    def await_change(self, true: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until something that is heard makes this true, or it has failed; return whether it is true."""
        with self._changed:
            self._changed.wait_for(lambda: true() or self.failure is not None, timeout_s)
            return true()

    def report(self, timeout_s: float = 2.0, wanted: Callable[[Status], bool] = lambda _: True) -> Status:
        """Ask until a report, true after this call, is a wanted one, and return it.

        Raises:
            DeviceError: if none comes in time.
        """
        begun_s, end_s = self._clock.now_s(), time.monotonic() + timeout_s
        while time.monotonic() < end_s:
            self._ask()
            with self._changed:
                self._changed.wait(2 * READ_S)
                found = self._status
            self.check()
            if found is not None and found[1] >= begun_s and wanted(found[0]):
                return found[0]
        raise DeviceError(f"{self.name}: no report in {timeout_s:.1f} s as was expected; look at the controller")

    def _ask(self) -> None:
        with self._writing:
            if self._asked_s is None or self._clock.now_s() - self._asked_s > _POLL_S:
                self._write(ASK)
                # Of two questions the controller may answer either, but none that was not asked.
                self._asked_s = self._asked_s or self._clock.now_s()

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
        if self._fail(error, halting=True):
            with self._halting():
                halt(self._serial, self._brake_s, at_once=at_once)

    def rest(self, within_s: float = _GREETS_S) -> bool:
        """Wait until a halt after a failure is over, and return whether it is certain that nothing moves any more.

        Certain it is by the greeting that follows a reset: no motion is planned then, all outputs are off.

        Args:
            within_s: for so long after the reset a greeting is waited for.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._halts, 2 * self._brake_s + RETURN_S + GREET_S)
            self._changed.wait_for(lambda: self._stands, max(0.0, self._halted_s + within_s - time.monotonic()))
            return self._stands

    def _fail(self, error: DeviceError, *, halting: bool = False) -> bool:
        """Note what is wrong, unless something is already; `halting`: a halt follows, which others wait for."""
        with self._changed:
            if self.failure is not None:
                return False
            self.failure = error
            self._halts += halting
            self._changed.notify_all()
        self._heard.put((0.0, error))
        return True

    @contextlib.contextmanager
    def _halting(self) -> Iterator[None]:
        """Tell those who wait when a halt is over."""
        try:
            yield
        finally:
            with self._changed:
                self._halts -= 1
                self._halted_s = time.monotonic()
                self._changed.notify_all()

    def _lose(self, error: OSError) -> DeviceError:
        """Note that the port is lost; the link's thread then looks for it, to stop what is behind it."""
        lost = DeviceError(f"{self.name}: the controller is gone ({error}); look at its cable, then go on")
        with self._changed:
            if not self._gone:
                self._gone = True
                self._halts += 1
            self._fail(lost)
        return lost

    def close(self) -> None:
        """Let the port go, when a halt that is under way is over; may be called twice."""
        if self._closed:
            return
        self._closed = True
        self.rest()
        self._closing.set()
        self._thread.join(_ENDS_S)
        if self._thread.is_alive():
            _log.warning(
                "%s: its port does not return; it stays open, with its guard, until the program ends", self.name
            )
            self._fail(DeviceError(f"{self.name}: closed"))
            return
        self._guard.close()
        self._serial.close()
        if self._fail(DeviceError(f"{self.name}: closed")):
            self._stands = True  # who closes what is whole has stopped it before

    # What is heard.

    def _listen(self) -> None:
        """Hear until the port is closed or lost; after a failure too: a greeting then says that the plate stands."""
        buffer = LineBuffer()
        while not (self._closing.is_set() or self._gone):
            try:
                self._hear_some(buffer)
            except OSError as error:
                self._lose(error)
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody else would notice that this thread ended
                self.fail(error if isinstance(error, DeviceError) else DeviceError(f"{self.name}: {error!r}"))
        if self._gone:
            with self._halting():
                halt(self._serial, self._brake_s)  # it may hear though it cannot be heard
                self._stands = stop_what_comes_back(self._port, self._baud, self._brake_s) or self._stands

    def _hear_some(self, buffer: LineBuffer) -> None:
        data = self._serial.read(max(1, self._serial.in_waiting))
        now_s = self._clock.now_s()
        for line in buffer.feed(data):
            self._last_s = now_s
            self._hear(line, now_s)
        if not self._watching or self.failure is not None:
            return
        if now_s >= self._poll_s:
            self._poll_s = now_s + _POLL_S
            self._ask()
        if now_s - self._last_s > self._silence_s:
            quiet = f"{self.name}: nothing heard for {self._silence_s:g} s; look at the controller and its cable"
            self.fail(DeviceError(quiet))

    def _hear(self, line: str, now_s: float) -> None:
        if self.failure is not None:
            if read_welcome(line):
                self._note_rest()
            return
        status, reply = read_status(line, self.axes), read_reply(line)
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
        if self.expecting and not self._watching:  # while the port is opened, an old alarm may still be told
            return
        why = ALARMS.get(number, "see its list of alarms")
        alarm = DeviceError(f"{self.name}: ALARM:{number}, {why}; look at the stage, then begin anew")
        if self._fail(alarm, halting=True):
            # It stands already. GRBL says nothing more until it is reset, and its outputs are off for certain then.
            with self._halting():
                halt(self._serial, self._brake_s, at_once=True)

    def _hear_welcome(self, line: str, now_s: float) -> None:
        self._forget_heard()
        self._heard.put((now_s, RestartedError(f"{self.name}: it was reset")))
        with self._changed:
            self.greetings += 1
            self.welcome = line
            self._asked_s = None
            self._changed.notify_all()
        if not self.expecting:
            self._fail(DeviceError(f"{self.name}: the controller restarted by itself; look at its supply"))
            self._note_rest()

    def _note_rest(self) -> None:
        with self._changed:
            self._stands = True
            self._changed.notify_all()
