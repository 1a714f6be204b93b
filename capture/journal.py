"""Journal: what happens in a session, kept as JSON lines in its folder, readable while it is written.

The manifest says which clips there are and is synced with each; the journal tells the story, for people. Losing its
last lines to a power cut loses no clip.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from capture.events import EVENT, Event
from capture.hanging import PATIENCE_S, in_time
from capture.snapshot import Snapshot, Telling
from natadv.durable import append_line
from natadv.errors import DataError

JOURNAL: Final = "journal.jsonl"

Listener = Callable[[Event], None]


class Journal:
    """Writes events to a session's folder, tells them to listeners, and knows how the session stands; any thread may.

    What earlier processes wrote counts in `snapshot`.
    """

    def __init__(self, folder: Path, *, patience_s: float = PATIENCE_S) -> None:
        """Open the journal of the session in `folder`; it begins with its first event.

        Args:
            folder: the session's.
            patience_s: a disk that takes longer for a line hangs.

        Raises:
            DataError: if an earlier one cannot be read.
        """
        self._path = folder / JOURNAL
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._lines: deque[str] = deque()
        self._writing = threading.Lock()
        self._telling = Telling()
        self._listeners: list[Listener] = []
        for event in Reader(folder).events():
            self._telling.take(event)

    def tell(self, event: Event) -> None:
        """Write an event.

        Raises:
            ResourceError: if the disk is full, or hangs; the snapshot and the listeners have it nevertheless.
            DataError: if it cannot be written for another reason; likewise.
        """
        with self._lock:
            self._telling.take(event)
            self._lines.append(event.model_dump_json())
            for listener in self._listeners:
                listener(event)
        in_time(self._path, self._write_line, self._patience_s)

    def _write_line(self) -> None:
        """Write the line that has waited longest: lines stand in the order in which listeners heard of them."""
        with self._writing:
            append_line(self._path, self._lines.popleft())

    def listen(self, listener: Listener) -> None:
        """Call `listener` with every event from now on, in the thread that tells it; it must be quick, and not tell."""
        with self._lock:
            self._listeners.append(listener)

    def snapshot(self) -> Snapshot:
        """Return how the session stands."""
        return self._telling.snapshot()


class Reader:
    """Reads a journal that another process may be writing, from its beginning, and then what is new.

    Attributes:
        left_out: lines so far that say nothing: cut off, damaged, or of a kind that this version does not know.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL
        self._offset = 0
        self.left_out = 0

    def events(self) -> Iterator[Event]:
        """Yield the events since the last call; a line that is not yet whole waits.

        Raises:
            DataError: if the journal cannot be read.
        """
        for line in self._lines():
            try:
                yield EVENT.validate_json(line)
            except ValidationError:
                self.left_out += 1

    def _lines(self) -> Iterator[bytes]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        return
                    self._offset += len(line)
                    yield line
        except FileNotFoundError:  # it begins with its first event
            return
        except OSError as error:
            why = error.strerror or error
            raise DataError(f"{self._path}: cannot be read ({why}); put it aside, no clip hangs on it") from error
