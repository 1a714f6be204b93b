"""Story: a session's events with numbers, for pages that ask what is new, and the hits among them that still count."""

import secrets
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from capture.events import Began, Doing, Event, Hits, Reshot, Skipped

_KEPT: Final = 500
_MOST_HITS: Final = 120


@dataclass(frozen=True, slots=True)
class Told:
    """An event with its place among all, from 1."""

    number: int
    event: Event


class Story:
    """Takes events from any thread, in no time; any thread may ask.

    Attributes:
        run: tells the numbers of this story from those of another.
        begun: whether this process has begun to record.
    """

    def __init__(self) -> None:
        self.run = secrets.token_hex(4)
        self.begun = False
        self._lock = threading.Lock()
        self._count = 0
        self._past: deque[Told] = deque(maxlen=_KEPT)
        self._hits: dict[tuple[int, str], Told] = {}

    def recall(self, events: Iterable[Event]) -> None:
        """Take what earlier processes told."""
        for event in events:
            self._take(event)

    def take(self, event: Event) -> None:
        """Take the next event; a listener of `capture.journal.Journal`."""
        self.begun = self.begun or isinstance(event, Began)
        self._take(event)

    def latest(self, count: int) -> list[Told]:
        """Return the last so many, the newest last."""
        with self._lock:
            return list(self._past)[-count:]

    def after(self, number: int) -> list[Told]:
        """Return those kept that have a higher number, in order."""
        if number >= self._count:  # asked often: no lock for nothing
            return []
        with self._lock:
            return [told for told in self._past if told.number > number]

    def hits(self) -> list[tuple[int, Hits]]:
        """Return the images' hits that count, each with its number, the newest first."""
        with self._lock:
            found = [(told.number, told.event) for told in self._hits.values() if isinstance(told.event, Hits)]
        return sorted(found, key=lambda one: -one[0])

    def _take(self, event: Event) -> None:
        if isinstance(event, Doing):  # the state says it, and twice an image it would fill the log
            return
        with self._lock:
            self._count += 1
            told = Told(self._count, event)
            self._past.append(told)
            match event:
                case Hits():
                    self._hits.pop((event.item, event.model), None)
                    if event.hits:
                        self._hits[event.item, event.model] = told
                    while len(self._hits) > _MOST_HITS:
                        del self._hits[next(iter(self._hits))]
                case Reshot() | Skipped():  # what was found in it does not count any more
                    for key in [key for key in self._hits if key[0] == event.item]:
                        del self._hits[key]
