"""Live scan: models look at clips as they come, in a process of their own that never delays the recording.

The process reads what is complete on the disk, so it shares nothing with the recording but the cores, of which it
takes what is left over (it is nice to all others). It gets one image at a time and answers with a line of JSON; the
rest waits here, as numbers. If it dies it is started again, some times; recording goes on without it.

The hits of each model that are kept as pictures lie in `live/DIGEST` of the session's folder. They are for looking at;
what training uses is written by `natadv capture scan`, which sees the whole session.
"""

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from capture.events import Hits, Said
from capture.journal import Journal, Reader
from natadv.errors import DataError, NatadvError
from rigs.archive import Archive
from rigs.session import Item

_STARTS: Final = 4
_NICENESS: Final = 10


class Asked(BaseModel):
    """A line to the process: an image whose clips are complete."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    item: int
    attempt: int


class Answer(BaseModel):
    """A line of the process: that it is ready, what its models found, or why not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[str, ...] = ()
    asked: Asked | None = None
    found: tuple[Hits, ...] = ()
    error: str | None = None


class LiveScan:
    """Bundles that are scanned with while a session is recorded, as a context manager."""

    def __init__(self, archive: Archive, bundles: Sequence[Path], journal: Journal, *, device: str = "auto") -> None:
        """Prepare.

        Args:
            archive: the session.
            bundles: folders made by `natadv export`; at least one.
            journal: is told what they find.
            device: what to run on, as `edge.classifier.Classifier` takes it.
        """
        self._archive, self._journal = archive, journal
        arguments = [str(archive.folder), "--device", device, *map(str, bundles)]
        self._command = [sys.executable, "-m", "capture.live_scan", *arguments]
        self._lock = threading.Condition()
        self._queue: deque[Asked] = deque()
        self._verdicts: deque[tuple[int, int, list[Hits]]] = deque()
        self._flying: Asked | None = None
        self._over = self._dead = False
        self._starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._converse, daemon=True, name="live-scan")

    def __enter__(self) -> Self:
        """Start the process, wait until its models are open, and have it look at what it has not seen yet.

        Raises:
            DataError: if a bundle cannot be opened, or does not know the session's labels.
        """
        models = self._start()
        seen = _seen(self._archive.folder)
        manifest = self._archive.manifest()
        for item in self._archive.complete_items():
            attempt = manifest.fate(item.number).attempt
            if any((model, item.number, attempt) not in seen for model in models):
                self._queue.append(Asked(item=item.number, attempt=attempt))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the process; what it has not seen is seen when the session goes on."""
        with self._lock:
            self._over = True
            self._lock.notify_all()
        self._end()
        self._thread.join()

    def put(self, item: Item, attempt: int) -> None:
        """Have an image's clips looked at; returns at once."""
        with self._lock:
            self._queue.append(Asked(item=item.number, attempt=attempt))
            self._lock.notify_all()

    def verdicts(self) -> list[tuple[int, int, list[Hits]]]:
        """Return (item, attempt, what each model found) of the images seen since the last call."""
        with self._lock:
            found = list(self._verdicts)
            self._verdicts.clear()
            return found

    @property
    def waiting(self) -> int:
        """Images that not all models have seen; 0 where no more answers will come."""
        with self._lock:
            return 0 if self._dead else len(self._queue) + (self._flying is not None) + len(self._verdicts)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until all that was put has been seen; return whether it was."""
        with self._lock:
            return self._lock.wait_for(
                lambda: self._dead or (not self._queue and self._flying is None), timeout_s
            ) and not (self._dead and bool(self._queue))

    def _start(self) -> tuple[str, ...]:
        # A terminal's Ctrl-C is for the recording; it ends this process when it has stopped the stage.
        self._starts += 1
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        ready = self._answer()
        if ready is None or ready.error or not ready.models:
            self._end()
            raise DataError(ready.error if ready and ready.error else "live scan: ended before its models were open")
        return ready.models

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        process.kill()
        process.wait()

    def _converse(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._queue or self._over)
                if self._over:
                    break
                self._flying = self._queue.popleft()
            answer = self._ask(self._flying)
            if answer is not None:
                self._heed(self._flying, answer)
            with self._lock:
                if answer is None and not self._over:
                    self._queue.appendleft(self._flying)
                self._flying = None
                self._lock.notify_all()
            if answer is None and not self._over and not self._revive():
                break
        self._end()
        for stream in (self._process.stdin, self._process.stdout) if self._process else ():
            _close(stream)

    def _ask(self, asked: Asked) -> Answer | None:
        """Send a line and return the answer; None: the process is gone."""
        stream = self._process.stdin if self._process else None
        if stream is None:
            return None
        try:
            stream.write(asked.model_dump_json().encode() + b"\n")
            stream.flush()
        except (OSError, ValueError):
            return None
        return self._answer()

    def _answer(self) -> Answer | None:
        stream = self._process.stdout if self._process else None
        line = stream.readline() if stream else b""
        try:
            return Answer.model_validate_json(line) if line.endswith(b"\n") else None
        except ValidationError:
            return None

    def _heed(self, asked: Asked, answer: Answer) -> None:
        with suppress(NatadvError):  # the disk is full: the recording meets the same, and says so
            if answer.error:
                self._journal.tell(Said(words=f"image {asked.item}: not scanned: {answer.error}"))
            for found in answer.found:
                self._journal.tell(found)
        if not answer.error:
            with self._lock:
                self._verdicts.append((asked.item, asked.attempt, list(answer.found)))

    def _revive(self) -> bool:
        """Start the process again; say whether it lives."""
        reason = "it ended"
        while self._starts < _STARTS:
            try:
                self._start()
            except DataError as error:
                reason = str(error)
            else:
                self._tell(Said(words=f"live scan: started again, as {reason}"))
                return True
        with self._lock:
            self._dead = True
            self._lock.notify_all()
        self._tell(Said(words=f"live scan: given up ({reason}); recording goes on without", trouble=True))
        return False

    def _tell(self, said: Said) -> None:
        with suppress(NatadvError):  # as above
            self._journal.tell(said)


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        with suppress(OSError):  # what was written last reaches nobody any more
            stream.close()


def _seen(folder: Path) -> set[tuple[str, int, int]]:
    """Return (model, item, attempt) of what the journal has."""
    events = Reader(folder).events()
    return {(event.model, event.item, event.attempt) for event in events if isinstance(event, Hits)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Answer lines until there are no more; the process of a LiveScan."""
    import argparse  # noqa: PLC0415  # what the process alone needs

    from capture.looking import Looker  # noqa: PLC0415  # likewise

    parser = argparse.ArgumentParser()
    parser.add_argument("session", type=Path)
    parser.add_argument("bundles", type=Path, nargs="+")
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args(arguments)
    # Lines alone go to the pipe; whatever a library prints goes where errors do.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    os.nice(_NICENESS)

    def say(answer: Answer) -> None:
        answers.write(json.dumps(answer.model_dump(mode="json")) + "\n")
        answers.flush()

    try:
        with Looker(asked.session, asked.bundles, asked.device) as looker:
            say(Answer(models=looker.models))
            for line in sys.stdin:
                say(looker.look(Asked.model_validate_json(line)))
    except NatadvError as error:
        say(Answer(error=str(error)))


if __name__ == "__main__":
    main()
