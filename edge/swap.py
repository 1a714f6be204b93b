"""Swap: another bundle takes the place of the one that runs, without a frame missed for it.

The new one is read, verified, opened and tried on its golden frames beside the old one, which goes on answering.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge.bundle import MANIFEST
from edge.events import EventLog
from edge.slot import Predictor, Slot
from natadv.errors import NatadvError

_LOOK_S: Final = 1.0  # between two looks at a watched folder


class Swapper:
    """Opens bundles and puts them into a slot; one at a time, from any thread.

    Attributes:
        folder: of the bundle that was put there last; None before the first.
    """

    def __init__(self, slot: Slot, events: EventLog, open_bundle: Callable[[Path], Predictor]) -> None:
        self.folder: Path | None = None
        self._slot, self._events, self._open = slot, events, open_bundle
        self._lock = threading.Lock()

    def swap(self, folder: Path) -> Predictor:
        """Open a bundle and put it in place of the model in use, which stays if that fails.

        Raises:
            NatadvError: why it was refused; it was said as an event too.
        """
        with self._lock:
            try:
                model = self._open(folder)
                try:
                    self._slot.put(model)
                except NatadvError:
                    model.close()
                    raise
            except NatadvError as error:
                self._events.add("swap-refused", str(error))
                raise
            self.folder = folder
            self._events.add("swapped", f"{folder}: {model.described}")
            return model


class Watcher(threading.Thread):
    """Looks at a bundle's folder, which may be a link to one, and swaps when it is another or was written anew."""

    def __init__(self, folder: Path, swapper: Swapper, stop: threading.Event, *, look_s: float = _LOOK_S) -> None:
        super().__init__(name="watcher", daemon=True)
        self._folder, self._swapper, self._stop_asked, self._look_s = folder, swapper, stop, look_s
        self._seen = self._mark()

    def run(self) -> None:
        """Look until `stop`; what was refused is not tried again before it changes."""
        while not self._stop_asked.wait(self._look_s):
            mark = self._mark()
            if mark is None or mark == self._seen:  # None: it is being exchanged, or somebody took it away
                continue
            self._seen = mark
            try:
                self._swapper.swap(self._folder)
            except NatadvError:
                continue  # said as an event

    def _mark(self) -> tuple[int, ...] | None:
        try:
            seen = (self._folder / MANIFEST).stat()
        except OSError:
            return None
        return seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_size
