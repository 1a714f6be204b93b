"""What the page shows of a run, gathered as a sink and read by any thread."""

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from edge.events import Event
from edge.live import Live
from edge.page.answers import Counts, Guess, Happened, History, Kind, Now, SecondSaid, State
from edge.page.timeline import Timeline
from edge.page.timings import Stopwatch
from edge.prediction import Prediction
from edge.sinks import Observation
from edge.summary import Summary

_TOP: Final = 3
_LEAST_S: Final = 2.0  # without news, before what is shown is called old
_TIMES: Final = 5  # the usual time between two predictions, likewise
_ANSWERS: Final = 3  # the time for an answer, likewise: a frame is as old as two when its own is published


class PageState:
    """Takes each observation, and says at any time how the run stands."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._lock = threading.Lock()
        self._last: Observation | None = None
        self._last_s = time.monotonic()
        self._at = datetime.now(UTC)
        self._alarm_since: datetime | None = None
        self._old_since: datetime | None = None
        self._timeline, self._stopwatch = Timeline(), Stopwatch()
        self._evidence = 0

    def write(self, observation: Observation) -> None:
        """Take an observation."""
        now = datetime.now(UTC)
        with self._lock:
            self._last, self._last_s, self._at = observation, time.monotonic(), now
            if not observation.alarm:
                self._alarm_since = None
            elif self._alarm_since is None:
                self._alarm_since = now
            if observation.age_s <= max(_LEAST_S, _ANSWERS * observation.latency_s):
                self._old_since = None
            elif self._old_since is None:
                self._old_since = now
            self._timeline.add(observation, now.timestamp())
            self._stopwatch.add(observation)

    def note(self, event: Event) -> None:
        """Count evidence; all else is read from the run's events, which know of it sooner."""
        if event.kind == "evidence":
            self._evidence += 1

    @property
    def trouble(self) -> str | None:
        """Why what was seen last is old news, in words for a picture; None: it is not."""
        with self._lock:
            kind, reason, since = self._standing()
        if kind not in ("silent", "no-signal", "stuck") or since is None:
            return None
        title = "MODEL STUCK" if kind == "stuck" else "NO SIGNAL"
        return f"{title} since {since:%H:%M:%S} UTC: {reason}"

    @property
    def readiness(self) -> str | None:
        """Why the run cannot be relied on just now; None: it can."""
        with self._lock:
            kind, reason, _ = self._standing()
        if kind == "waiting":
            return "no frame was predicted yet"
        return reason if kind in ("silent", "no-signal", "stuck") else None

    @property
    def stuck(self) -> str | None:
        """That the model gives no answer, and since when; None: it does, as far as it is asked."""
        with self._lock:
            kind, reason, _ = self._standing()
        return reason if kind == "stuck" else None

    @property
    def predicted(self) -> int:
        """Predictions so far."""
        return self._live.summary.predicted

    def state(self) -> State:
        """Return how the run stands."""
        live, summary = self._live, self._live.summary
        with self._lock:
            kind, reason, since = self._standing()
            last, at, timings = self._last, self._at, self._stopwatch.timings()
        return State(
            run=live.events.run,
            at=datetime.now(UTC),
            kind=kind,
            reason=reason,
            since=since,
            signs=[] if last is None else list(last.signs),
            now=None if last is None else _now(last, at, live.slot.model.labels),
            counts=_counts(summary),
            timings=timings,
            model=live.slot.swaps,
            evidence=self._evidence,
            elapsed_s=round(summary.elapsed_s, 1),
        )

    def news(self) -> tuple[object, State]:
        """Return a mark that changes with what is worth telling at once, and how the run stands."""
        now = self.state()
        return (now.counts.predicted, now.kind), now

    def history(self, after: int) -> History:
        """Return the seconds from `after` on, in seconds since 1970, and all events since."""
        with self._lock:
            seconds = self._timeline.since(after)
        events = [event for event in self._live.events.after(0) if event.at.timestamp() >= after]
        return History(
            seconds=[SecondSaid.model_validate(one, from_attributes=True) for one in seconds],
            events=[self.happened(event) for event in events],
        )

    def happened(self, event: Event) -> Happened:
        """Return an event as it is told."""
        number = f"{self._live.events.run}-{event.number}"
        return Happened(id=number, kind=event.kind, text=event.text, at=event.at)

    def _standing(self) -> tuple[Kind, str | None, datetime | None]:
        """Return (kind, reason, since) of `State`."""
        live, last = self._live, self._last
        now, silent_s = datetime.now(UTC), time.monotonic() - self._last_s
        usual_s = 0.0 if last is None else _TIMES / max(last.fps, 1e-3)
        patience_s = max(_LEAST_S, usual_s)
        if live.asking_s > patience_s:
            since = now - timedelta(seconds=live.asking_s)
            return "stuck", f"the model has given no answer for {live.asking_s:.0f} s", since
        reason = live.reception.reason
        if reason is not None:
            return "no-signal", reason, live.reception.since
        if last is None:
            return "waiting", None, None
        if silent_s > patience_s:
            return "silent", f"no new frame for {silent_s:.0f} s", self._at
        if self._old_since is not None:
            return "silent", f"old frames: what was seen last was {last.age_s:.0f} s old by then", self._old_since
        return ("alarm", None, self._alarm_since) if last.alarm else ("live", None, None)


def _counts(summary: Summary) -> Counts:
    counts = Counts.model_validate(summary, from_attributes=True)
    counts.seen = max(counts.seen, counts.predicted + counts.skipped)  # the former is as of a moment ago
    return counts


def _now(observation: Observation, at: datetime, labels: Sequence[str]) -> Now:
    return Now(
        at=at,
        index=observation.shot.frame.index,
        top=_top(observation.prediction, labels),
        steady=observation.steady,
        score=observation.prediction.score,
        disagreement=observation.prediction.disagreement,
        truth=observation.shot.label,
        age_ms=round(1e3 * observation.age_s, 2),
        fps=round(observation.fps, 2),
    )


def _top(prediction: Prediction, labels: Sequence[str]) -> list[Guess]:
    """Return the most probable classes; the first alone where the labels are another model's by now."""
    first = Guess(label=prediction.label, probability=round(prediction.confidence, 4))
    probabilities, index = prediction.probabilities, prediction.index
    if len(labels) != len(probabilities) or labels[index] != prediction.label:
        return [first]
    others = [place for place in np.argsort(-probabilities, kind="stable")[:_TOP].tolist() if place != index]
    return [first] + [
        Guess(label=labels[place], probability=round(float(probabilities[place]), 4)) for place in others[: _TOP - 1]
    ]
