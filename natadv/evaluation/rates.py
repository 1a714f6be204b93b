"""Success rates with their uncertainty (no torch)."""

import math
from dataclasses import dataclass

_Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Rate:
    """A proportion with its count and 95 % Wilson interval; all shares are 0..1.

    An empty sample says nothing: its value is NaN and its interval the whole of 0..1.
    """

    hits: int
    total: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.total:
            raise ValueError(f"expected 0 <= hits <= total, got {self.hits} of {self.total}")

    @property
    def value(self) -> float:
        """Hits over total."""
        return self.hits / self.total if self.total else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson score interval (Wilson 1927, as in Brown, Cai and DasGupta 2001, Eq. 4)."""
        if not self.total:
            return 0.0, 1.0
        n, p, z2 = self.total, self.value, _Z_95**2
        centre = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z_95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
        return max(0.0, centre - half), min(1.0, centre + half)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{100 * self.value:.1f} % ({self.hits}/{self.total}, 95 % {100 * low:.1f}–{100 * high:.1f})"
