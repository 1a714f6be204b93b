"""The live loop: newest frame → prediction → sinks, kept alive.

A thread of its own reads the source and always holds its newest frame, so that a slow model skips frames instead of
falling behind: what is published is as fresh as one prediction allows, however long it runs. Another thread asks the
model. This one watches both: a camera that is gone is opened again (`edge.supply`), a reader that its driver holds is
left behind (`edge.readers`), a model that hangs or fails is replaced by a fresh one (`edge.replacing`), and the run
ends soon after it is asked to. It never waits for what may take long, so that it does all this meanwhile too.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from edge.alarm import AlarmRule
from edge.events import EventLog
from edge.herald import Herald, last_words, unheard
from edge.mailbox import Mailbox
from edge.patience import Patience
from edge.publisher import Publisher
from edge.readers import Readers
from edge.reception import Reception
from edge.replacing import Replacing
from edge.sinks import Sink
from edge.slot import Predictor, Slot
from edge.steady import SteadyRule
from edge.summary import Summary
from edge.supply import Opener, Supply, Taken
from edge.systemd import Heartbeat, notify
from edge.worker import Worker
from natadv.errors import DeviceError, NatadvError

_POLL_S: Final = 0.1
_GRACE_S: Final = 5.0  # that a model which was told to give up may take
_LAST_GRACE_S: Final = 2.0  # likewise at the end; a thread that comes back while Python is torn down aborts the process


@dataclass(slots=True)
class Live:
    """A run's parts, which others may look at while it goes on.

    Attributes:
        slot: the model.
        events: what happens beside predictions.
        stop: ends the run.
        reception: the state of the source's signal.
        restarts: models that were replaced because they hung or failed.
        summary: what the run has come to; all of it but the predictions is as of a moment ago.
        asking_s: how long the model has been asked for its answer, or another has been opened in place of one that
            failed, as of a moment ago; 0 while neither is.
        asked_to_end: whether the run ended because `stop` was set, not by itself.
    """

    slot: Slot
    stop: threading.Event = field(default_factory=threading.Event)
    events: EventLog = field(default_factory=EventLog)
    reception: Reception = field(init=False)
    restarts: int = 0
    summary: Summary = field(default_factory=Summary)
    asking_s: float = 0.0
    asked_to_end: bool = False

    def __post_init__(self) -> None:
        self.reception = Reception(self.events)


def run(
    live: Live,
    opener: Opener,
    sinks: Sequence[Sink],
    *,
    seconds: float | None = None,
    every: bool = False,
    patience: Patience | None = None,
    steady: SteadyRule | None = None,
    alarm: AlarmRule | None = None,
    reopen: Callable[[], Predictor] | None = None,
    tap: Callable[[Taken], None] | None = None,
) -> Summary:
    """Predict a source's newest frames until it ends, `live.stop` is set, the time is over, or nobody listens.

    Args:
        live: the model, and what is to be known of the run while it goes on; its `stop` is set at the end.
        opener: opens the source; a live one again and again.
        sinks: each gets every observation and event, in one thread at a time.
        seconds: how long to run; None for without end.
        every: let the reader wait, so that no frame is skipped: for recordings, not for cameras.
        patience: with the source and the model.
        steady: when a label holds.
        alarm: what raises an alarm.
        reopen: opens the model anew when it hung or failed; None: such is an error.
        tap: sees every good frame of the source, in the thread that reads it, whether the model will or not.

    Raises:
        ConfigError: if the source has a label that the model lacks.
        FrameTimeoutError: if no frame comes.
        DeviceError: if the model hangs or fails again and again, or the source's driver does.
        DataError: if a sink holds the last prediction, or the last event, up when it is asked to end.
        NatadvError: whatever the source, the model or a sink raises.
    """
    patience = patience or Patience()
    mailbox: Mailbox[Taken] = Mailbox()
    publisher = Publisher(
        sinks, live.events, steady=steady or SteadyRule(), alarm=alarm or AlarmRule(), summary=live.summary
    )
    supply = Supply(
        opener,
        mailbox,
        live.reception,
        live.stop,
        check=live.slot.need,
        every=every,
        age_s=patience.age_s,
        tap=tap,
        prepare=live.slot.prepare,
    )
    begin_s = time.monotonic()
    readers = Readers(supply, live.reception, live.events, patience)
    watch = _Watch(live, readers, mailbox, publisher, patience, reopen)
    supply.start()

    def wind_up() -> None:
        live.stop.set()
        mailbox.close()
        notify("STOPPING=1")
        readers.supply.join(patience.frame_s)
        watch.let_go()

    try:
        watch.until(None if seconds is None else begin_s + seconds)
        live.asked_to_end = live.stop.is_set()
    except BrokenPipeError:
        pass  # whoever read our lines has had enough
    except BaseException:
        with contextlib.suppress(NatadvError):  # what the run ends by is worse than what cannot be said of it
            wind_up()
            if live.reception.begun:  # else a wrong name ended it, and its one line is all there is to say
                watch.tell_last()
        raise
    wind_up()
    watch.tell_last()
    if readers.supply.failed is not None:
        raise readers.supply.failed
    watch.take_stock()
    return live.summary


class _Watch:
    """Starts the worker, and watches it, its model and the source."""

    def __init__(
        self,
        live: Live,
        readers: Readers,
        mailbox: Mailbox[Taken],
        publisher: Publisher,
        patience: Patience,
        reopen: Callable[[], Predictor] | None,
    ) -> None:
        self._live, self._readers, self._mailbox, self._publisher = live, readers, mailbox, publisher
        self._patience = patience
        self._replacing = Replacing(live.slot, live.events, patience, reopen)
        self._stopped_s: float | None = None
        self._told_s: float | None = None  # when a model that hangs was told to give up
        self._herald: Herald | None = None
        self._begin_s = time.monotonic()
        self._heart = Heartbeat()
        self._worker = self._hire()

    def until(self, end_s: float | None) -> None:
        """Watch until the worker is done, and raise what ended it."""
        if end_s is not None and self._begin_s >= end_s:
            return
        self._worker.start()
        while True:
            left_s = _POLL_S if end_s is None else end_s - time.monotonic()
            self._wait(left_s if 0 < left_s < _POLL_S else _POLL_S)  # what the end waits for is not asked in a circle
            now_s = time.monotonic()
            self.take_stock()
            self._live_on()
            if self._herald is not None and self._herald.failed is not None:
                raise self._herald.failed
            if self._is_over(now_s):
                return
            if self._live.stop.is_set():
                continue
            if end_s is not None and now_s >= end_s:
                self._live.stop.set()
            else:
                self._readers.listen(now_s)

    def _is_over(self, now_s: float) -> bool:
        """Look at the worker and its model, and do something about what is wrong; return whether the run is over."""
        stopping = self._live.stop.is_set()
        if self._replacing.under_way:
            if stopping:
                return True
            self._go_on()
        elif self._told_s is not None and not stopping:
            if not self._worker.is_alive() or now_s - self._told_s >= _GRACE_S:
                self._left_stuck()
        elif not self._worker.is_alive():
            if self._worker.failed is None or self._worker.retired:  # it was retired: nobody wants its answer
                return True
            if not self._worker.model_failed or stopping:
                raise self._worker.failed
            self._replace(f"the model failed ({self._worker.failed})", self._worker.failed)
        elif stopping:
            self._stopped_s = now_s if self._stopped_s is None else self._stopped_s
            if now_s - self._stopped_s >= self._patience.stop_s:
                self._cut_off()
                return True
        elif self._worker.asking_s > self._patience.model_s:
            self._stuck(now_s)
        return False

    def take_stock(self) -> None:
        """Bring up to date what others know of the run."""
        live, mailbox, supply = self._live, self._mailbox, self._readers.supply
        live.asking_s = self._worker.asking_s or self._replacing.since_s
        live.restarts = self._replacing.count
        summary = live.summary
        summary.elapsed_s = time.monotonic() - self._begin_s
        summary.seen, summary.skipped, summary.lost = mailbox.seen, mailbox.skipped, supply.lost
        summary.dead, summary.outages, summary.restarts = supply.dead, live.reception.outages, live.restarts
        summary.swaps = live.slot.swaps - live.restarts

    def let_go(self) -> None:
        """Open no model any more; one that is under way may come back in the time that all else has."""
        self._replacing.end(self._patience.stop_s)

    def tell_last(self) -> None:
        """Tell all what happened last, in the time that all has which is under way at the end."""
        herald, self._herald, stop_s = self._herald, None, self._patience.stop_s
        if herald is not None:
            herald.leave()
            herald.join(stop_s)
            if herald.is_alive():
                raise unheard(stop_s)
        if not self._publisher.ended:
            last_words(self._publisher.say, stop_s)

    def _hire(self) -> Worker:
        live = self._live
        return Worker(self._mailbox, live.slot, self._publisher, live.reception, live.stop, age_s=self._patience.age_s)

    def _go_on(self) -> None:
        """Begin to work again, if there is a model to ask by now."""
        if self._replacing.done():
            if self._herald is not None:
                self._herald.leave()
                self._herald = None
            self._worker = self._hire()
            self._worker.start()

    def _wait(self, timeout_s: float) -> None:
        """Wait a moment, but not past the end of what is waited for."""
        if self._replacing.under_way:
            self._replacing.wait(timeout_s)
        else:
            self._worker.join(timeout_s)

    def _live_on(self) -> None:
        """Say that the run lives: there are predictions, or it is known why there are none."""
        known = self._live.reception.reason is not None or self._replacing.under_way or self._told_s is not None
        self._heart.look(self._live.summary.predicted, known_outage=known)

    def _cut_off(self) -> None:
        """Let go what is still under way some time after the run was asked to end: an answer, or its publishing."""
        if self._worker.asking_s:
            self._worker.retire().abandon()
            self._worker.join(_LAST_GRACE_S)
            return
        self._publisher.end()
        raise unheard(self._patience.stop_s)

    def _stuck(self, now_s: float) -> None:
        """Retire a worker whose model hangs, and ask that model to give up."""
        self._worker.retire().abandon()
        self._told_s = now_s
        self._live.events.add(
            "stuck", f"the model gave no answer in {self._patience.model_s:g} s; it is asked to give up"
        )
        self._call_herald()

    def _left_stuck(self) -> None:
        """Replace a model that has given up, or has had the time to."""
        self._told_s = None
        words = "gave up" if not self._worker.is_alive() else "still hangs and is left behind"
        reason = f"the model gave no answer in {self._patience.model_s:g} s; it {words}"
        self._replace(reason, DeviceError(reason))

    def _replace(self, reason: str, error: BaseException) -> None:
        """Begin to replace the model; the worker that asked it is done."""
        if not self._live.stop.is_set():
            self._call_herald()
            self._replacing.begin(self._worker, reason, error)

    def _call_herald(self) -> None:
        if self._herald is None:
            self._herald = Herald(self._publisher.say)
            self._herald.start()
