"""Number: one of ours beside the paper's, with its interval, its count and what it was measured on."""

import math
from dataclasses import dataclass

from natadv.errors import DataError
from natadv.evaluation.rates import Rate

_MISLEADS = "may mislead "


@dataclass(frozen=True, slots=True)
class Number:
    """One number of ours beside the paper's; shares are percentages, 0..100.

    Attributes:
        row: and `column`, its place in the table.
        low: and `high`, the ends of its 95 % interval; None where it has none.
        n: images that it rests on.
        paper: the published number; None where the paper has none in this place.
        setting: what it was measured on and how, see `setting`.
    """

    row: str
    column: str
    ours: float
    low: float | None
    high: float | None
    n: int
    paper: float | None
    setting: str

    def __post_init__(self) -> None:
        if not all(math.isfinite(value) for value in (self.ours, self.low, self.high, self.paper) if value is not None):
            raise ValueError(f"{self.row}, {self.column}: expected finite numbers, got {self}")

    @property
    def place(self) -> tuple[str, str]:
        """Its row and column."""
        return self.row, self.column


def percentage(row: str, column: str, rate: Rate, *, paper: float | None, setting: str) -> Number:
    """Return a rate as a number of a table.

    Raises:
        DataError: if nothing was counted: an empty sample has no rate.
    """
    if not rate.total:
        raise DataError(f"{row}, {column}: no image to count; the model gets none of them right")
    low, high = rate.interval
    return Number(row, column, 100 * rate.value, 100 * low, 100 * high, rate.total, paper, setting)


def setting(**parts: object) -> str:
    """Return how a number was measured as one line, as "data nips17; N 25"; a part that is None is left out."""
    return "; ".join(f"{name.replace('_', ' ')} {part}" for name, part in parts.items() if part is not None)


def misleads(number: Number) -> list[str]:
    """Return what may mislead in a number, as its setting says."""
    said = [part.removeprefix(_MISLEADS) for part in number.setting.split("; ") if part.startswith(_MISLEADS)]
    return [flag for part in said for flag in part.split(" / ")]
