"""Swap: another bundle takes the place of the one that runs, without a frame missed for it.

The new one is read, verified, opened and tried on its golden frames beside the old one, which goes on answering.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge.bundle import FILES, MANIFEST, SIGNATURE
from edge.events import EventLog
from edge.slot import Predictor, Slot
from edge.wording import one_line
from natadv.errors import BundleError, NatadvError

_LOOK_S: Final = 1.0  # between two looks at a watched folder
_RESTLESS: Final = 5  # looks after which a folder is tried though it is another at each

Mark = tuple[tuple[int, ...] | None, ...]
"""What tells one state of a bundle's folder from another: device, inode, time and size of each file."""


class Swapper:
    """Opens bundles and puts them into a slot; one at a time, from any thread.

    Attributes:
        folder: of the bundle that was put there last; None before the first.
    """

    def __init__(self, slot: Slot, events: EventLog, open_bundle: Callable[[Path], Predictor]) -> None:
        self.folder: Path | None = None
        self._slot, self._events, self._open = slot, events, open_bundle
        self._lock = threading.Lock()
        self._ended = False

    def swap(self, folder: Path) -> Predictor:
        """Open a bundle and put it in place of the model in use, which stays if that fails for whatever reason.

        Raises:
            NatadvError: why it was refused; it was said as an event too.
        """
        with self._lock:
            try:
                self._need_a_run(folder)
                model = self._open(folder)
                try:
                    self._need_a_run(folder)
                    self._slot.put(model)
                except BaseException:
                    model.close()
                    raise
            except NatadvError as error:
                self._events.add("swap-refused", str(error))
                raise
            except Exception as error:  # of a library below, or our mistake: the run must not end by either
                said = one_line(f"{type(error).__name__}: {error}")
                refused = BundleError(f"{folder}: cannot be taken ({said}); the model in use stays")
                self._events.add("swap-refused", str(refused))
                raise refused from error
            self.folder = folder
            self._events.add("swapped", f"{folder}: {model.described}")
            return model

    def end(self, patience_s: float) -> None:
        """Take no bundle any more, and wait so long for one that is being opened, whoever asked for it.

        A thread that comes back out of a library while Python is torn down aborts the process.
        """
        self._ended = True
        if self._lock.acquire(timeout=patience_s):
            self._lock.release()

    def _need_a_run(self, folder: Path) -> None:
        if self._ended:
            raise BundleError(f"{folder}: comes too late, the run is ending; start another with it")


def mark_of(folder: Path) -> Mark | None:
    """Return the mark of a bundle, its signature included; None: it is being exchanged, or somebody took it away."""
    mark = tuple(_stat(folder / name) for name in (*FILES, SIGNATURE))
    return None if mark[FILES.index(MANIFEST)] is None else mark


def _stat(path: Path) -> tuple[int, ...] | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_size


class Watcher(threading.Thread):
    """Looks at a bundle's folder, which may be a link to one, and swaps when it is another or was written anew."""

    def __init__(
        self, folder: Path, seen: Mark | None, swapper: Swapper, stop: threading.Event, *, look_s: float = _LOOK_S
    ) -> None:
        """Watch a folder from `start` on.

        Args:
            folder: of the bundle.
            seen: its mark from before the model in use was read, so that no exchange since is missed.
            swapper: opens what comes.
            stop: ends it.
            look_s: between two looks.
        """
        super().__init__(name="watcher", daemon=True)
        self._folder, self._seen, self._swapper, self._stop_asked, self._look_s = folder, seen, swapper, stop, look_s

    def run(self) -> None:
        """Look until `stop`; what was refused is not tried again before one of its files changes.

        A folder that is being written, file by file, is left alone until two looks find the same.
        """
        mark, changes = self._seen, 0
        while not self._stop_asked.wait(self._look_s):
            before, mark = mark, mark_of(self._folder)
            if mark is None or mark == self._seen:
                changes = 0
                continue
            changes += 1
            if mark != before and changes < _RESTLESS:
                continue
            self._seen, changes = mark, 0
            try:
                self._swapper.swap(self._folder)
            except NatadvError:
                continue  # said as an event
