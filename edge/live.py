"""The live loop: newest frame → prediction → sinks, kept alive.

A thread of its own reads the source and always holds its newest frame, so that a slow model skips frames instead of
falling behind: what is published is as fresh as one prediction allows, however long it runs. Another thread asks the
model. This one watches both: a camera that is gone is opened again (`edge.supply`), a reader that its driver holds is
left behind, a model that hangs or fails is replaced by a fresh one, and the run ends soon after it is asked to.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from edge.alarm import AlarmRule
from edge.events import EventLog
from edge.mailbox import Mailbox
from edge.patience import Patience
from edge.publisher import Publisher
from edge.reception import Reception
from edge.sinks import Sink
from edge.slot import Predictor, Slot
from edge.steady import SteadyRule
from edge.summary import Summary
from edge.supply import Opener, Supply, Taken
from edge.systemd import Heartbeat, notify
from edge.worker import Worker
from natadv.errors import DataError, DeviceError, FrameTimeoutError

_POLL_S: Final = 0.1
_GRACE_S: Final = 5.0  # that a model which was told to give up may take
_LAST_GRACE_S: Final = 2.0  # likewise at the end; a thread that comes back while Python is torn down aborts the process
_LONGER: Final = 3  # a driver may take so many times as long as it usually does, or as a frame may
_FIRST: Final = 10  # the first opening of a source likewise: a rig's stage looks for its ends in it


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
        asking_s: how long the model has been asked for its answer, as of a moment ago; 0 while it is not.
    """

    slot: Slot
    stop: threading.Event = field(default_factory=threading.Event)
    events: EventLog = field(default_factory=EventLog)
    reception: Reception = field(init=False)
    restarts: int = 0
    summary: Summary = field(default_factory=Summary)
    asking_s: float = 0.0

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
        DataError: if a sink holds the last prediction up when it is asked to end.
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
    watch = _Watch(live, supply, mailbox, publisher, patience, reopen)
    supply.start()
    try:
        watch.until(None if seconds is None else begin_s + seconds)
    except BrokenPipeError:
        pass  # whoever read our lines has had enough
    finally:
        live.stop.set()
        mailbox.close()
        notify("STOPPING=1")
        watch.supply.join(patience.frame_s)
    publisher.say()
    if watch.supply.failed is not None:
        raise watch.supply.failed
    watch.take_stock()
    return live.summary


class _Watch:
    """Starts the worker, and watches it and the source.

    Attributes:
        supply: the reader at work; others may have been left behind.
    """

    def __init__(
        self,
        live: Live,
        supply: Supply,
        mailbox: Mailbox[Taken],
        publisher: Publisher,
        patience: Patience,
        reopen: Callable[[], Predictor] | None,
    ) -> None:
        self.supply = supply
        self._live, self._mailbox, self._publisher = live, mailbox, publisher
        self._patience, self._reopen = patience, reopen
        self._in_a_row = 0
        self._left_behind, self._left_after_s = 0, live.reception.last_frame_s
        self._stopped_s: float | None = None
        self._begin_s = time.monotonic()
        self._heart = Heartbeat()
        self._worker = self._hire()

    def until(self, end_s: float | None) -> None:
        """Watch until the worker is done, and raise what ended it."""
        if end_s is not None and self._begin_s >= end_s:
            return
        self._worker.start()
        while True:
            now_s = time.monotonic()
            self._worker.join(_POLL_S if end_s is None else min(_POLL_S, max(0.0, end_s - now_s)))
            now_s = time.monotonic()
            self.take_stock()
            self._heart.look(self._live.summary.predicted, known_outage=self._live.reception.reason is not None)
            if not self._worker.is_alive():
                if self._worker.failed is None or self._worker.retired:  # it was retired: nobody wants its answer
                    return
                if not self._worker.model_failed or self._live.stop.is_set():
                    raise self._worker.failed
                self._replace(f"the model failed ({self._worker.failed})", self._worker.failed)
            elif self._live.stop.is_set():
                self._stopped_s = now_s if self._stopped_s is None else self._stopped_s
                if now_s - self._stopped_s >= self._patience.stop_s:
                    self._cut_off()
                    return
            elif self._worker.asking_s > self._patience.model_s:
                self._stuck()
            elif end_s is not None and now_s >= end_s:
                self._live.stop.set()
            else:
                self._listen(now_s)

    def take_stock(self) -> None:
        """Bring up to date what others know of the run."""
        live, mailbox, supply = self._live, self._mailbox, self.supply
        live.asking_s = self._worker.asking_s
        summary = live.summary
        summary.elapsed_s = time.monotonic() - self._begin_s
        summary.seen, summary.skipped, summary.lost = mailbox.seen, mailbox.skipped, supply.lost
        summary.dead, summary.outages, summary.restarts = supply.dead, live.reception.outages, live.restarts
        summary.swaps = live.slot.swaps - live.restarts

    def _hire(self) -> Worker:
        live = self._live
        return Worker(self._mailbox, live.slot, self._publisher, live.reception, live.stop, age_s=self._patience.age_s)

    def _listen(self, now_s: float) -> None:
        """Notice that no frame comes, though nobody said why."""
        patience, reception, supply = self._patience, self._live.reception, self.supply
        if supply.opened and not supply.live:
            return
        driver_s = max(patience.driver_s, _LONGER * patience.frame_s, _LONGER * supply.opened_in_s)
        if supply.inside_s > (driver_s if supply.opened else _FIRST * driver_s):
            self._leave_behind(supply)
        if not supply.opened:
            return
        silent_s = now_s - (reception.last_frame_s or self._begin_s)
        if silent_s > patience.frame_s:
            reason = f"no frame came for {patience.frame_s:g} s"
            if not reception.begun:
                raise FrameTimeoutError(f"{reason}; look at the camera")
            reception.lost(reason)
        if patience.signal_s is not None and silent_s > patience.signal_s:
            raise FrameTimeoutError(f"no signal for {patience.signal_s:g} s ({reception.reason}); look at the camera")

    def _leave_behind(self, supply: Supply) -> None:
        """Leave a reader in the driver that holds it, for it cannot be ended from outside, and start another."""
        live = self._live
        reason = f"the source has not come back for {supply.inside_s:.0f} s"
        if not live.reception.begun:
            raise FrameTimeoutError(f"{reason}; look at the camera")
        again = live.reception.last_frame_s == self._left_after_s
        self._left_behind, self._left_after_s = self._left_behind + 1 if again else 1, live.reception.last_frame_s
        if self._left_behind > self._patience.readers:
            raise DeviceError(f"{reason}, {self._left_behind} times in a row; look at the camera and its driver")
        self.supply = supply.retire()
        live.reception.lost(reason)
        live.events.add("no-signal", f"{reason}; it is left alone, and opened anew")
        self.supply.start()

    def _cut_off(self) -> None:
        """Let go what is still under way some time after the run was asked to end: an answer, or its publishing."""
        stop_s = self._patience.stop_s
        if self._worker.asking_s:
            self._worker.retire().abandon()
            self._worker.join(_LAST_GRACE_S)
            return
        self._publisher.end()
        raise DataError(
            f"standard output, or another listener, has taken nothing for {stop_s:g} s; its last predictions are lost"
        )

    def _stuck(self) -> None:
        """Retire a worker whose model hangs, after asking that model to give up."""
        model = self._worker.retire()
        model.abandon()
        end_s = time.monotonic() + _GRACE_S
        while self._worker.is_alive() and time.monotonic() < end_s and not self._live.stop.is_set():
            self._worker.join(_POLL_S)
        words = "gave up" if not self._worker.is_alive() else "still hangs and is left behind"
        reason = f"the model gave no answer in {self._patience.model_s:g} s; it {words}"
        self._replace(reason, DeviceError(reason))

    def _replace(self, reason: str, error: BaseException) -> None:
        """Open the model anew and go on with it."""
        live = self._live
        if live.stop.is_set():
            return
        self._in_a_row = 1 if self._worker.answered else self._in_a_row + 1
        if self._reopen is None:
            raise error
        if self._in_a_row > self._patience.restarts:
            raise DeviceError(f"{reason}, {self._in_a_row} times in a row; look at the device") from error
        old = self._worker.retire()
        if not self._worker.is_alive():
            old.close()
        model = self._reopen()
        if live.stop.is_set():
            model.close()
            return
        if not live.slot.put(model, instead_of=old):
            model.close()  # somebody swapped meanwhile, and said so: that model is wanted, not ours
        elif model.digest == old.digest:
            live.restarts += 1
            live.events.add("restarted", f"{reason}; now {model.described}")
        else:
            live.events.add("swapped", f"{reason}, and another bundle is in its place; now {model.described}")
        self._worker = self._hire()
        self._worker.start()
