"""Live scan: models look at clips as they come, in a process of their own that never delays the recording.

The process reads what is complete on the disk, so it shares nothing with the recording but the cores, of which it
takes what is left over (it is nice to all others). It gets one image at a time and answers with a line of JSON; the
rest waits here, as numbers. If it dies it is started again, some times; recording goes on without it.

The hits of each model that are kept as pictures lie in `live/DIGEST` of the session's folder. They are for looking at;
what training uses is written by `natadv capture scan`, which sees the whole session.
"""

import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from capture.events import Hits, Said
from capture.journal import Journal, Reader
from capture.questions import Answer, Asked
from natadv.errors import DataError, NatadvError
from rigs.archive import Archive
from rigs.session import Item

_STARTS: Final = 4
_ANSWER_S: Final = 900.0  # of one bundle, on what the recording leaves of the cores
_READY_S: Final = 3600.0  # a runtime that compiles for its device takes its time
_KILL_S: Final = 0.25
_LAST_KILLS: Final = 20


class LiveScan:
    """Bundles that are scanned with while a session is recorded, as a context manager."""

    def __init__(
        self,
        archive: Archive,
        bundles: Sequence[Path],
        journal: Journal,
        *,
        device: str = "auto",
        answer_s: float | None = None,
    ) -> None:
        """Prepare.

        Args:
            archive: the session.
            bundles: folders made by `natadv export`; at least one.
            journal: is told what they find.
            device: what to run on, as `edge.classifier.Classifier` takes it.
            answer_s: a process that takes longer for an image is killed; None: a quarter of an hour a bundle.
        """
        self._archive, self._journal = archive, journal
        arguments = [str(archive.folder), "--device", device, *map(str, bundles)]
        self._command = [sys.executable, "-m", "capture.looking", *arguments]
        self._answer_s = answer_s or _ANSWER_S * len(bundles)
        self._late = False
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
            known = [seen.get((model, item.number, attempt)) for model in models]
            if None in known:
                self._queue.append(Asked(item=item.number, attempt=attempt))
            else:  # the session may have ended before it heeded them; one that was heeded changes nothing
                self._verdicts.append((item.number, attempt, [hits for hits in known if hits]))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the process; what it has not seen is seen when the session goes on."""
        with self._lock:
            self._over = True
            self._lock.notify_all()
        # Again and again: it may be starting another. What is left then, a process in a disk that hangs or a child
        # that holds the line, ends when we do.
        for _number in range(_LAST_KILLS):
            if self._process is not None:
                self._process.kill()
            self._thread.join(_KILL_S)
            if not self._thread.is_alive():
                break

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
        ready = self._answer(_READY_S)
        if ready is None or ready.error or not ready.models:
            self._end()
            raise DataError(ready.error if ready and ready.error else "live scan: ended before its models were open")
        return ready.models

    def _end(self) -> None:
        """End the process and close the line; in the thread that reads it, as who closes it waits for who reads."""
        process = self._process
        if process is None:
            return
        process.kill()
        with suppress(subprocess.TimeoutExpired):  # it is in a disk that hangs
            process.wait(_LAST_KILLS * _KILL_S)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):  # what was written last reaches nobody any more
                    stream.close()

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
        return self._answer(self._answer_s)

    def _answer(self, limit_s: float) -> Answer | None:
        """Return the next line; None: the process is gone, or was killed as it took longer than `limit_s`."""
        process = self._process
        if process is None or process.stdout is None:
            return None

        def kill() -> None:
            self._late = True
            process.kill()

        self._late = False
        deadline = threading.Timer(limit_s, kill)
        deadline.daemon = True
        deadline.start()
        try:
            line = process.stdout.readline()
            return Answer.model_validate_json(line) if line.endswith(b"\n") else None
        except ValueError:  # no JSON, no answer, or closed meanwhile
            return None
        finally:
            deadline.cancel()

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
        reason = "it did not answer" if self._late else "it ended"
        self._end()
        while self._starts < _STARTS:
            try:
                self._start()
            except DataError as error:
                reason = str(error)
            else:
                self._tell(Said(words=f"live scan: started again, as {reason}"))
                return True
        self._tell(Said(words=f"live scan: given up ({reason}); recording goes on without", trouble=True))
        with self._lock:
            self._dead = True
            self._lock.notify_all()
        return False

    def _tell(self, said: Said) -> None:
        with suppress(NatadvError):  # as above
            self._journal.tell(said)


def _seen(folder: Path) -> dict[tuple[str, int, int], Hits]:
    """Return what the journal has last of each (model, item, attempt)."""
    events = Reader(folder).events()
    return {(event.model, event.item, event.attempt): event for event in events if isinstance(event, Hits)}
