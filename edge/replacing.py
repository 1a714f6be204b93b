"""Replacing: a fresh model takes the place of one that hung or failed.

It is opened in a thread of its own, for that may take as long as building an engine does, or for ever: whoever watches
the run looks at the camera, the system's signals and its watchdog meanwhile.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from edge.events import EventLog
from edge.patience import Patience
from edge.slot import Predictor, Slot
from edge.worker import Worker
from natadv.errors import DeviceError, NatadvError

_AGAIN_S: Final = 2.0  # before a model that could not be opened is tried again, then twice as long: files are copied


class Opening(threading.Thread):
    """Opens one model, and closes it if nobody wants it by then."""

    def __init__(self, reopen: Callable[[], Predictor], after_s: float) -> None:
        """Open a model `after_s` seconds after `start`."""
        super().__init__(name="opening", daemon=True)
        self._reopen, self._after_s = reopen, after_s
        self._model: Predictor | None = None
        self._error: BaseException | None = None
        self._unwanted = threading.Event()
        self._hold = threading.Lock()

    def run(self) -> None:
        """Open it."""
        if self._unwanted.wait(self._after_s):
            return
        try:
            model = self._reopen()
        except BaseException as raised:  # noqa: BLE001  # it is raised in the other thread
            self._error = raised
            return
        with self._hold:
            if not self._unwanted.is_set():
                self._model = model
                return
        model.close()

    def take(self) -> Predictor | None:
        """Return the model once it is there.

        Raises:
            BaseException: what opening it raised.
        """
        if self._error is not None:
            raise self._error
        with self._hold:
            model, self._model = self._model, None
        return model

    def leave(self) -> None:
        """Want it no more."""
        with self._hold:
            self._unwanted.set()
            model, self._model = self._model, None
        if model is not None:
            model.close()


class Replacing:
    """Replaces the models of workers that they failed, one at a time; whoever watches asks it how far it is.

    Attributes:
        count: models that were replaced by a fresh one of the same bundle.
    """

    def __init__(
        self, slot: Slot, events: EventLog, patience: Patience, reopen: Callable[[], Predictor] | None
    ) -> None:
        """Replace models in a slot by what `reopen` gives; None: there is no other."""
        self.count = 0
        self._slot, self._events, self._patience, self._reopen = slot, events, patience, reopen
        self._old: Predictor | None = None
        self._opening: Opening | None = None
        self._reason = ""
        self._begin_s = 0.0
        self._in_a_row = 0
        self._held: list[Worker] = []

    @property
    def under_way(self) -> bool:
        """Whether there is no model to ask, but soon will be."""
        return self._old is not None

    @property
    def since_s(self) -> float:
        """Seconds for which that has been so; 0 while it is not."""
        return time.monotonic() - self._begin_s if self.under_way else 0.0

    def begin(self, worker: Worker, reason: str, error: BaseException) -> None:
        """Retire a worker, and begin to open another model in place of its own.

        Raises:
            BaseException: `error`, where no model can be opened.
            DeviceError: if one model after another gave no answer, or too many hang at a time.
        """
        old = worker.retire()
        if not worker.is_alive():
            old.close()
        self._old, self._reason, self._begin_s = old, reason, time.monotonic()
        self._in_a_row = 1 if worker.answered else self._in_a_row + 1
        if self._slot.model is not old:  # somebody swapped meanwhile, and said so
            return
        if self._reopen is None:
            raise error
        self._bear(error)
        # Answers between do not bring back what each of them keeps: a thread, and a model's memory.
        self._held = [one for one in (*self._held, worker) if one.is_alive()]
        if len(self._held) > self._patience.restarts:
            raise DeviceError(f"{reason}; {len(self._held)} models hang by now; look at the device") from error
        self._open(0.0)

    def wait(self, timeout_s: float) -> None:
        """Wait for the model that is being opened, but not longer."""
        if self._opening is not None:
            self._opening.join(timeout_s)

    def done(self) -> bool:
        """Look whether there is a model to ask by now: the fresh one, or one that somebody swapped in.

        Raises:
            DeviceError: if none can be opened again and again, or that takes too long.
        """
        old, opening = self._old, self._opening
        if old is None or self._slot.model is not old or opening is None:
            self.end()
            return True
        if opening.is_alive():
            if self.since_s > self._patience.opening_s:
                raise DeviceError(
                    f"{self._reason}; another has been opened for {self.since_s:.0f} s; look at the device"
                )
            return False
        try:
            self._put(opening, old)
        except NatadvError as error:
            # Perhaps somebody is copying another bundle there, file by file, because this one hung.
            self._in_a_row += 1
            self._events.add("restart-failed", f"{self._reason}; {error}")
            self._bear(error)
            self._open(_AGAIN_S * 2 ** (self._in_a_row - 2))
            return False
        self.end()
        return True

    def end(self, patience_s: float = 0.0) -> None:
        """Want no other model any more; one that is being opened is waited for so long, and then left behind."""
        opening, self._opening, self._old = self._opening, None, None
        if opening is not None:
            opening.leave()
            if patience_s:
                opening.join(patience_s)

    def _bear(self, error: BaseException) -> None:
        if self._in_a_row > self._patience.restarts:
            raise DeviceError(f"{self._reason}, {self._in_a_row} times in a row; look at the device") from error

    def _open(self, after_s: float) -> None:
        if self._reopen is not None:
            self._opening = Opening(self._reopen, after_s)
            self._opening.start()

    def _put(self, opening: Opening, old: Predictor) -> None:
        model = opening.take()
        if model is None:
            return
        try:
            put = self._slot.put(model, instead_of=old)
        except NatadvError:
            model.close()
            raise
        if not put:
            model.close()  # somebody swapped meanwhile, and said so: that model is wanted, not ours
        elif model.digest == old.digest:
            self.count += 1
            self._events.add("restarted", f"{self._reason}; now {model.described}")
        else:
            said = f"{self._reason}, and another bundle is in its place; now {model.described}"
            self._events.add("swapped", said)
