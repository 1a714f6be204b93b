"""What a command says of a model, line by line, with the numbers in it: for people and, as JSON, for programs."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from natadv.durable import replace_file
from natadv.evaluation.rates import Rate

FORMAT = "natadv-rates/1"


@dataclass(frozen=True)
class Said:
    """A line.

    Attributes:
        text: for people.
        numbers: plain values by name, for programs; none where the line has none.
    """

    text: str
    numbers: Mapping[str, Any] = field(default_factory=dict)


def plain_rate(rate: Rate) -> dict[str, Any]:
    """Return a rate as plain values: `share`, `low` and `high` of its 95 % interval 0..1, `hits` of `images`."""
    low, high = rate.interval
    share = rate.value if rate.total else None
    return {"share": share, "low": low, "high": high, "hits": rate.hits, "images": rate.total}


def write_numbers(path: Path, said: Iterable[Said]) -> None:
    """Write the numbers of several lines as one JSON object.

    Raises:
        DataError: if the file cannot be written.
        ResourceError: if the disk is full.
    """
    whole: dict[str, Any] = {"format": FORMAT}
    for one in said:
        whole |= one.numbers
    replace_file(path, (json.dumps(whole, indent=1, allow_nan=False) + "\n").encode())
