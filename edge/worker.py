"""Worker: the thread of a live run that takes the newest frame, asks the model and publishes the answer."""

import queue
import threading
import time
from typing import Final

from edge.mailbox import Mailbox
from edge.publisher import Publisher
from edge.reception import Reception
from edge.slot import Predictor, Slot, give_back, prepare
from edge.supply import Taken

_POLL_S: Final = 0.1  # how soon `stop`, events and a swap are noticed while no frame comes
_HOLD_S: Final = 1.0  # that a listener may take for one answer, before nobody waits for it any more


class Worker(threading.Thread):
    """One of them works at a time; one whose model hangs is retired, and another takes the next frame.

    Attributes:
        failed: what ended it, if not the source's end or `stop`.
        answered: answers that it got of its model.
    """

    def __init__(
        self,
        mailbox: Mailbox[Taken],
        slot: Slot,
        publisher: Publisher,
        reception: Reception,
        stop: threading.Event,
        *,
        age_s: float,
    ) -> None:
        """Name what it works with; `start` begins. A live source's frame older than `age_s` is not looked at."""
        super().__init__(name="model", daemon=True)
        self.failed: BaseException | None = None
        self.model_failed = False
        self.answered = 0
        self._mailbox, self._slot, self._publisher, self._reception, self._stop_asked = (
            mailbox, slot, publisher, reception, stop,
        )  # fmt: skip
        self._age_s = age_s
        self._model: Predictor = slot.model
        self._asked_s: float | None = None
        self._retired = False
        self._hold = threading.Lock()

    @property
    def asking_s(self) -> float:
        """Seconds since the model was asked; 0 while it is not."""
        asked_s = self._asked_s
        return 0.0 if asked_s is None else time.monotonic() - asked_s

    @property
    def retired(self) -> bool:
        """Whether `retire` was called."""
        return self._retired

    def retire(self) -> Predictor:
        """Let it publish nothing more, and return the model that it asked; it closes that when it can.

        An answer that is being published just now goes its way, however long that takes.
        """
        held = self._hold.acquire(timeout=_HOLD_S)
        self._retired = True
        if held:
            self._hold.release()
        return self._model

    def run(self) -> None:
        """Work until the source ends, `stop`, an error, or `retire`."""
        try:
            outages = None  # what was built up before this worker began was another's
            while (taken := self._next()) is not None:
                if self._reception.outages != outages:
                    outages = self._reception.outages
                    self._publisher.begin_anew()
                if not self._work(taken):
                    break
        except BaseException as raised:  # noqa: BLE001  # it is raised in the main thread
            self.failed = raised
        if self._retired:
            self._model.close()
            give_back()

    def _work(self, taken: Taken) -> bool:
        """Look at one frame; return whether there is more to do."""
        began_s = time.monotonic()
        shot, source, model = taken.shot, taken.source, self._model
        waited_s = source.now_s() - shot.frame.timestamp_s
        if source.live and (waited_s > self._age_s or self._reception.reason is not None):
            self._mailbox.skip()  # it waited here while the model hung, or is from before an outage
            return True
        frames = taken.frames
        if frames is None or frames.shape[1:3] != model.input_size:  # not yet made, or made for another model
            frames = prepare(model, shot, source)
        asked_s = self._asked_s = time.monotonic()
        try:
            (prediction,) = model.answer(frames)
        except BaseException:
            self.model_failed = True
            raise
        finally:
            self._asked_s = None
        with self._hold:  # between this question and the publishing nobody retires it
            if self._retired:
                return False
            self.answered += 1
            if source.live and self._reception.reason is not None:
                self._mailbox.skip()  # the signal was lost meanwhile: this is what was to be seen before
                return True
            self._publisher.publish(taken, prediction, model=model, waited_s=waited_s, began_s=began_s, asked_s=asked_s)
        return True

    def _next(self) -> Taken | None:
        """Take the newest frame, and a model that was swapped; None when there will be no more."""
        while not self._stop_asked.is_set() and not self._retired:
            if self._slot.model is not self._model:
                old, self._model = self._model, self._slot.model
                old.close()
                give_back()
                self._publisher.begin_anew()
            try:
                return self._mailbox.take(_POLL_S)
            except queue.Empty:
                self._publisher.say()
        return None
