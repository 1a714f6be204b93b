"""Pairs by index: a folder with a `pairs.csv`, and wet pictures without a clean side with an `unpaired.csv`.

`pairs.csv` has a row for each pair and these columns, paths being relative to the folder:

    kind                true, pseudo or pseudo_small: see `Pair.kind`
    rain                the file with drops
    clean_or_restored   the file without
    source              where it comes from; not read
    photograph          optional: the same name for pairs that show the same thing; empty lets the pictures decide

`unpaired.csv` has the columns file, source, what and change, of which the first is read: files of `unpaired_rain/`.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from natadv.data.pair import KINDS, Kind, Pair
from natadv.errors import DataError

INDEX = "pairs.csv"


def read_index(folder: Path) -> list[Pair]:
    """Return the pairs that a folder's `pairs.csv` lists; the key of each is its rain file's path.

    Raises:
        DataError: if the index is damaged or lists nothing, a file is missing or listed twice, or a kind unknown.
    """
    pairs: dict[str, Pair] = {}
    for line, row in _rows(folder / INDEX, ("kind", "rain", "clean_or_restored")):
        key = row["rain"]
        if row["kind"] not in KINDS:
            raise DataError(f"{folder / INDEX}:{line}: kind {row['kind']!r}; expected {', '.join(KINDS)}")
        if key in pairs:
            raise DataError(f"{folder / INDEX}:{line}: {key} is listed twice")
        clean, rain = (_there(folder / row[column], line) for column in ("clean_or_restored", "rain"))
        pairs[key] = Pair(key, row.get("photograph") or key, clean, rain, cast(Kind, row["kind"]))
    return list(pairs.values())


def _rows(index: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Return the rows with their line numbers."""
    try:
        with index.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{index}: cannot be read ({error})") from error
    lacking = [column for column in columns if column not in (reader.fieldnames or ())]
    if lacking:
        raise DataError(f"{index}: no column {lacking[0]!r}; expected {', '.join(columns)}")
    if not rows:
        raise DataError(f"{index}: lists nothing")
    for line, row in rows:
        if not all(row[column] for column in columns):
            raise DataError(f"{index}:{line}: incomplete; expected {', '.join(columns)}")
    return rows


def _there(path: Path, line: int) -> Path:
    if not path.is_file():
        raise DataError(f"{path}: missing, though line {line} of the index lists it")
    return path
