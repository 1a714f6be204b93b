"""Events: what happened in a live run beside its predictions, from any thread to whoever publishes it."""

import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

EventKind = Literal[
    "model", "no-signal", "signal", "left-behind", "swapped", "swap-refused", "stuck", "restarted", "restart-failed",
    "label", "alarm", "alarm-over", "evidence", "evidence-lost", "page",
]  # fmt: skip

_KEPT: Final = 1000  # of the past, for who comes late


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        kind: what it was.
        text: one line for a person: why, which, where.
        at: when, by the calendar.
        monotonic_s: when, by `time.monotonic`.
        number: its place among all of a run, from 1.
    """

    kind: EventKind
    text: str
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    monotonic_s: float = field(default_factory=time.monotonic)
    number: int = 0


class EventLog:
    """Takes events from any thread; one thread publishes them, any may look at the latest.

    Attributes:
        run: tells the numbers of this run from those of another.
    """

    def __init__(self) -> None:
        self.run = secrets.token_hex(4)
        self._count = 0
        self._lock = threading.Lock()
        self._waiting: deque[Event] = deque(maxlen=_KEPT)
        self._past: deque[Event] = deque(maxlen=_KEPT)

    def add(self, kind: EventKind, text: str) -> Event:
        """Say that something happened just now."""
        with self._lock:
            self._count += 1
            event = Event(kind, text, number=self._count)
            self._waiting.append(event)
            self._past.append(event)
        return event

    def take(self) -> list[Event]:
        """Return the events that nobody took yet, in order."""
        if not self._waiting:  # asked for each frame: no lock for nothing
            return []
        with self._lock:
            events = list(self._waiting)
            self._waiting.clear()
        return events

    def latest(self, count: int) -> list[Event]:
        """Return the last so many events, the newest last, taken or not."""
        with self._lock:
            return list(self._past)[-count:]

    def after(self, number: int) -> list[Event]:
        """Return the events kept that have a higher number, in order, taken or not."""
        if number >= self._count:  # asked often: no lock for nothing
            return []
        with self._lock:
            return [event for event in self._past if event.number > number]
