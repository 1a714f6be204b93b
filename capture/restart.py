"""Restart: the last help where a device's call never returns, as nothing within a process can end it.

The process is replaced by a fresh one of the same command with `--resume`: all threads and open devices of the old one
go with it, the session on the disk stays, and so does the process's number for whoever looks after it. Where the
session was to end anyway (an emergency stop, a wish, a signal) the process ends instead: a fresh one would move.
"""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, NoReturn

from capture.control import Control
from capture.events import Said, Stopped
from capture.journal import Journal
from capture.notify import Notifier
from capture.signals import Signals
from natadv.errors import NatadvError

_COUNT: Final = "NATADV_RESTARTS"
_MOST: Final = 5
_PATIENCE_S: Final = 75.0  # more than a notifier's


class Restart:
    """Goes on in a fresh process, or ends this one, from any thread; what is told before is bounded in time."""

    def __init__(
        self,
        journal: Journal,
        notifier: Notifier,
        control: Control,
        signals: Signals,
        *,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        """Name who is told, and who may have asked for the end."""
        self._journal, self._notifier, self._control, self._signals = journal, notifier, control, signals
        self._patience_s = patience_s
        self._turn = threading.Lock()

    def __call__(self, reason: str) -> None:
        """Replace this process, for this reason, by a fresh one that goes on, or end it; does not return."""
        with self._turn:
            self._end_if_asked(reason)
            done = int(os.environ.get(_COUNT, "0"))
            if done >= _MOST:
                self._end("failed", f"{reason}; the program was started again {done} times, which did not help")
            # What homes or moves while it is being opened stands still until the fresh process has it.
            self._within(self._control.stops.stop)
            self._within(
                lambda: self._journal.tell(Said(words=f"{reason}; the program starts again", trouble=True)),
                self._notifier.flush,
            )
            self._end_if_asked(reason)  # meanwhile
            os.environ[_COUNT] = str(done + 1)
            _flush()
            try:
                os.execv(sys.executable, again(sys.orig_argv))
            except OSError as error:
                self._end("failed", f"{reason}; the program could not be started again ({error.strerror})")

    def _end_if_asked(self, reason: str) -> None:
        control = self._control
        if control.halted_by:
            self._end("emergency", f"emergency stop by {control.halted_by} ({reason}); look at the rig, then --resume")
        if control.ended_by:
            self._end("ended", f"asked by {control.ended_by} ({reason}); --resume goes on")
        if self._signals.asked:
            self._end("interrupted", f"by the terminal or the system ({reason}); --resume goes on", 130)

    def _end(self, outcome: str, reason: str, code: int = 1) -> NoReturn:
        stopped = Stopped.model_validate({"outcome": outcome, "reason": reason})
        self._within(self._control.stops.stop)
        self._within(lambda: self._journal.tell(stopped), self._notifier.finish)
        _flush()
        os._exit(code)  # a plain exit would wait for the thread that hangs

    def _within(self, *ways: Callable[[], object]) -> None:
        """Do this in order, for a bounded time: whatever hangs or fails here must not keep the process."""
        task = threading.Thread(target=_each, args=(ways,), daemon=True, name="last-words")
        task.start()
        task.join(self._patience_s)


def _each(ways: Sequence[Callable[[], object]]) -> None:
    for way in ways:
        with suppress(NatadvError):  # a disk that is full; listeners have heard it nevertheless
            way()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads there any more
            stream.flush()


def restarted() -> bool:
    """Return whether this process goes on for one that was replaced, with nobody there who would be asked anything."""
    return _COUNT in os.environ


def again(command: list[str]) -> list[str]:
    """Return the command that goes on with the session of `command`."""
    kept = [word for word in command[1:] if word != "--retry-skipped"]
    return [sys.executable, *kept, *([] if "--resume" in kept else ["--resume"])]
