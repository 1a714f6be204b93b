"""What a command says of a model, line by line, with the numbers in it: for people and, as JSON, for programs."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from natadv.durable import replace_file
from natadv.evaluation.rates import Rate

MEASUREMENT, REPAIR, INSPECTION = "natadv-measure/1", "natadv-repair/1", "natadv-inspect/1"
"""What a file of numbers is of, its `format`."""


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


def write_numbers(path: Path, what: str, said: Iterable[Said]) -> None:
    """Write the numbers of several lines as one JSON object: of the same name, objects are joined, and so are lists.

    Args:
        path: of the file.
        what: its format.
        said: the lines.

    Raises:
        DataError: if the file cannot be written.
        ResourceError: if the disk is full.
    """
    whole: dict[str, Any] = {"format": what}
    for one in said:
        for name, value in one.numbers.items():
            known = whole.get(name)
            if isinstance(known, dict):
                whole[name] = known | value
            else:
                whole[name] = known + value if isinstance(known, list) else value
    replace_file(path, (json.dumps(whole, indent=1, allow_nan=False) + "\n").encode())
