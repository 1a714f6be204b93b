"""Timings: where the last predictions' time went, as percentiles and a histogram."""

import time
from collections import deque
from typing import Final

import numpy as np
from pydantic import BaseModel

from edge.sinks import STAGES, Observation

_KEPT: Final = 1000
_EVERY_S: Final = 1.0
_EDGES_MS: Final = np.geomspace(0.25, 4000, 43)  # three to a doubling


class Spread(BaseModel):
    """How long something took, in milliseconds: half of the last thousand times, and 99 of 100."""

    p50_ms: float
    p99_ms: float


class Timings(BaseModel):
    """Of the last thousand predictions.

    Attributes:
        stages: captured (from a frame's time until it was here), queued, prepared, inferred, published.
        latency: prepared and inferred together.
        age: of a frame when its prediction was published.
        edges_ms: of the bins of `counts`, one more than those.
        counts: latencies by bin; the first and last take what lies outside.
    """

    stages: dict[str, Spread]
    latency: Spread
    age: Spread
    edges_ms: list[float]
    counts: list[int]


class Stopwatch:
    """Keeps the timings of the last predictions; used by one thread at a time."""

    def __init__(self) -> None:
        self._times: deque[tuple[float, ...]] = deque(maxlen=_KEPT)
        self._made: Timings | None = None
        self._made_s = float("-inf")

    def add(self, observation: Observation) -> None:
        """Keep one."""
        self._times.append((*observation.stages.named().values(), observation.latency_s, observation.age_s))

    def timings(self) -> Timings | None:
        """Return what they come to, as of a second ago at most; None before the first."""
        now_s = time.monotonic()
        if self._times and now_s - self._made_s >= _EVERY_S:
            self._made, self._made_s = _timings(1e3 * np.asarray(self._times)), now_s
        return self._made


def _timings(times_ms: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Timings:
    middle, high = np.percentile(times_ms, (50, 99), axis=0).round(3)
    spreads = [Spread(p50_ms=float(p50), p99_ms=float(p99)) for p50, p99 in zip(middle, high, strict=True)]
    inside = np.clip(times_ms[:, len(STAGES)], _EDGES_MS[0], _EDGES_MS[-1])
    counts, _ = np.histogram(inside, _EDGES_MS)
    return Timings(
        stages=dict(zip(STAGES, spreads, strict=False)),
        latency=spreads[len(STAGES)],
        age=spreads[-1],
        edges_ms=[round(float(edge), 3) for edge in _EDGES_MS],
        counts=counts.tolist(),
    )
