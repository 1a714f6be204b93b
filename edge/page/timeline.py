"""Timeline: what a run said in each of the last minutes' seconds."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from edge.sinks import Observation

KEPT_S: Final = 600


@dataclass(slots=True)
class Second:
    """What was said in one second of the calendar.

    Attributes:
        at: seconds since 1970.
        label: that was steady last in it; None: none was.
        confidence: mean of its predictions'.
        alarm: whether there was one.
        count: predictions; seconds without any are left out.
    """

    at: int
    label: str | None
    confidence: float
    alarm: bool
    count: int


class Timeline:
    """Gathers observations second by second; used by one thread at a time."""

    def __init__(self) -> None:
        self._seconds: deque[Second] = deque(maxlen=KEPT_S)

    def add(self, observation: Observation, now_s: float) -> None:
        """Count an observation, published `now_s` seconds after 1970."""
        at, confidence = int(now_s), observation.prediction.confidence
        last = self._seconds[-1] if self._seconds else None
        if last is None or last.at != at:
            self._seconds.append(Second(at, observation.steady, confidence, observation.alarm, 1))
            return
        last.label = observation.steady
        last.count += 1
        last.confidence += (confidence - last.confidence) / last.count
        last.alarm = last.alarm or observation.alarm

    def since(self, at: int) -> list[Second]:
        """Return copies of the seconds from `at` on, in order."""
        return [
            Second(one.at, one.label, one.confidence, one.alarm, one.count) for one in self._seconds if one.at >= at
        ]
