"""Steady: a label that holds, out of predictions that flicker."""

from dataclasses import dataclass

from edge.prediction import Prediction


@dataclass(frozen=True, slots=True)
class SteadyRule:
    """When a label holds.

    Attributes:
        frames: so many predictions in a row must agree.
        threshold: each with at least this confidence, 0..1.
    """

    frames: int = 5
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.frames < 1 or not 0 <= self.threshold <= 1:
            raise ValueError(f"expected one frame or more and a share, got {self.frames} and {self.threshold}")


class Steady:
    """The label that held last; it stays until another one holds, or `reset`."""

    def __init__(self, rule: SteadyRule) -> None:
        self.label: str | None = None
        self._rule = rule
        self._candidate: str | None = None
        self._count = 0

    def add(self, prediction: Prediction) -> str | None:
        """Return the label that holds after one more prediction; None before the first one held."""
        if prediction.confidence < self._rule.threshold:
            self._candidate, self._count = None, 0
            return self.label
        same = prediction.label == self._candidate
        self._candidate, self._count = prediction.label, self._count + 1 if same else 1
        if self._count >= self._rule.frames:
            self.label = self._candidate
        return self.label

    def reset(self) -> None:
        """Forget all: other frames or another model follow."""
        self.label, self._candidate, self._count = None, None, 0
