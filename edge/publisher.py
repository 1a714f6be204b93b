"""Publisher: makes observations of predictions and hands them, and events, to the sinks."""

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from edge.alarm import AlarmRule, Alarms
from edge.events import EventLog
from edge.prediction import Prediction
from edge.sinks import Observation, Sink, Stages, tell
from edge.slot import Predictor
from edge.steady import Steady, SteadyRule
from edge.summary import Summary
from edge.supply import Taken

_RATE_OVER: Final = 30  # predictions that the running rate is taken over


class Publisher:
    """Gives each sink every observation and every event, in order, one thread at a time.

    Attributes:
        summary: what was published so far.
        ended: whether the sinks are given nothing more.
    """

    def __init__(
        self,
        sinks: Sequence[Sink],
        events: EventLog,
        *,
        steady: SteadyRule,
        alarm: AlarmRule,
        summary: Summary | None = None,
    ) -> None:
        self.summary = summary or Summary()
        self._sinks, self._events = sinks, events
        self._steady, self._alarms = Steady(steady), Alarms(alarm)
        self._recent = deque([time.monotonic()], maxlen=_RATE_OVER + 1)
        self._alarm_s = 0.0
        self._published_s = 0.0
        self.ended = False
        self._lock = threading.Lock()

    def publish(
        self,
        taken: Taken,
        prediction: Prediction,
        *,
        model: Predictor,
        waited_s: float,
        began_s: float,
        asked_s: float,
    ) -> None:
        """Publish a prediction.

        Args:
            taken: what it is of.
            prediction: of that frame.
            model: that said it.
            waited_s: the frame's age when it was taken.
            began_s: monotonic time when it was taken.
            asked_s: monotonic time when the model was asked.

        Raises:
            BrokenPipeError: if nobody listens any more.
            NatadvError: if it cannot be kept.
        """
        now_s = time.monotonic()
        age_s = taken.source.now_s() - taken.shot.frame.timestamp_s
        captured_s = taken.arrived_s - taken.shot.frame.timestamp_s
        with self._lock:
            self._recent.append(now_s)
            before = self._steady.label
            label = self._steady.add(prediction)
            if label is not None and label != before:
                self._events.add("label", label)
            signs, turned = self._alarms.add(prediction, now_s)
            if turned:
                self._alarm_s = now_s
                self._events.add("alarm", ", ".join(signs))
            elif turned is not None:
                self._events.add("alarm-over", f"after {now_s - self._alarm_s:.1f} s")
            observation = Observation(
                taken.shot,
                prediction,
                stages=Stages(
                    captured_s,
                    waited_s - captured_s - taken.prepared_s,
                    taken.prepared_s + asked_s - began_s,
                    now_s - asked_s,
                    self._published_s,
                ),
                age_s=age_s,
                fps=(len(self._recent) - 1) / max(now_s - self._recent[0], 1e-6),
                steady=label,
                signs=signs,
                alarm=self._alarms.on,
                model_sha256=model.digest,
                labels=model.labels,
            )
            self._say()
            begin_s = time.monotonic()
            tell(partial(sink.write, observation) for sink in self._listening())
            if self.ended:
                return
            self._published_s = time.monotonic() - begin_s
            self.summary.add(observation)

    def say(self) -> None:
        """Publish the events that wait; to be called while no frames come too.

        Raises:
            BrokenPipeError: if somebody listens no more, when all others were told.
            NatadvError: if one cannot be kept.
        """
        with self._lock:
            self._say()

    def end(self) -> None:
        """Give the sinks nothing more: one of them holds an observation up, and the others are closed meanwhile."""
        self.ended = True

    def begin_anew(self) -> None:
        """Forget what was built up over frames: others follow, or another model."""
        with self._lock:
            self._steady.reset()
            self._alarms.reset()

    def _say(self) -> None:
        tell(partial(sink.note, event) for event in self._events.take() for sink in self._listening())

    def _listening(self) -> Iterator[Sink]:
        for sink in self._sinks:
            if self.ended:
                return
            yield sink
