"""Summary: what a live run has come to."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from edge.sinks import Observation

_KEPT: Final = 100_000  # latencies and ages: an hour at 28 a second


@dataclass(slots=True)
class Summary:
    """What a run has come to.

    Attributes:
        seen: frames that the source gave.
        predicted: of these, predicted and published.
        skipped: of these, replaced by a newer one before the model was free.
        lost: frames missing in the camera's own count, before they came here.
        dead: frames of one colour, or repeated, that were not looked at.
        outages: how often there was no signal.
        restarts: of the model, because it hung or failed.
        swaps: of the model, because another was to take its place.
        elapsed_s: of the whole run.
        known: predictions of frames whose true label the source knew.
        right: of these, right.
        latencies_s: of the last predictions, at most some 100,000.
        ages_s: likewise.
    """

    seen: int = 0
    predicted: int = 0
    skipped: int = 0
    lost: int = 0
    dead: int = 0
    outages: int = 0
    restarts: int = 0
    swaps: int = 0
    elapsed_s: float = 0.0
    known: int = 0
    right: int = 0
    latencies_s: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))
    ages_s: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT))

    @property
    def fps(self) -> float:
        """Predictions a second over the whole run."""
        return self.predicted / self.elapsed_s if self.elapsed_s > 0 else 0.0

    def add(self, observation: Observation) -> None:
        """Count one observation."""
        self.predicted += 1
        self.latencies_s.append(observation.latency_s)
        self.ages_s.append(observation.age_s)
        if observation.shot.label is not None:
            self.known += 1
            self.right += observation.shot.label == observation.prediction.label

    def __str__(self) -> str:
        text = (
            f"{self.seen} frames in {self.elapsed_s:.1f} s: {self.predicted} predicted, {self.skipped} skipped"
            f" for newer ones, {self.lost} lost by the camera; {self.fps:.1f} fps"
        )
        if self.predicted:
            (l50, l99), (a50, a99) = (
                1e3 * np.percentile(values, (50, 99)) for values in (self.latencies_s, self.ages_s)
            )
            text += f"; latency p50 {l50:.1f} p99 {l99:.1f} ms; age p50 {a50:.1f} p99 {a99:.1f} ms"
        for count, what in (
            (self.dead, "dead frames"),
            (self.outages, "times no signal"),
            (self.restarts, "restarts of the model"),
            (self.swaps, "models swapped in"),
        ):
            text += f"; {count} {what}" if count else ""
        if self.known:
            text += f"; {self.right} of {self.known} right ({100 * self.right / self.known:.1f} %)"
        return text
