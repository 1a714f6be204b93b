"""The one home of numbers: results/PAPER/table-K.csv, with a table to read beside it, and a picture for a figure.

A number's place is its row and column. Writing a table again keeps the numbers in other places; in its own place a
new number stands unless the old one rests on more images, so that what is kept is the largest run made so far.
"""

import csv
import fcntl
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from natadv.durable import file_error, replace_file
from natadv.errors import ConfigError, DataError
from natadv.papers.markdown import Section, as_markdown
from natadv.papers.number import Number

COLUMNS = tuple(field.name for field in fields(Number))


def write_table(
    folder: Path,
    name: str,
    title: str,
    numbers: Sequence[Number],
    *,
    replace: bool = False,
    whole: bool = False,
    sections: Sequence[Section] = (),
    before: Sequence[str] = (),
) -> tuple[Number, ...]:
    """Merge numbers into `folder`/NAME.csv and write NAME.md from all that are there then.

    Args:
        folder: of the paper; made where it is missing.
        name: as "table-2".
        title: above the table that people read.
        numbers: in the order of rows and columns that a new table is to have.
        replace: replace also what rests on more images.
        whole: the table's rows are compared with each other, so numbers of other runs go.
        sections: of a table too wide for a page.
        before: lines of the page above the table.

    Returns:
        The older numbers that were kept in the place of new ones.

    Raises:
        DataError: if the table cannot be written, or what is there is no such table.
        ResourceError: if the disk is full.
    """
    path = folder / f"{name}.csv"
    with _writing(folder):
        merged = {number.place: number for number in (read_numbers(path) if path.exists() and not whole else ())}
        kept = []
        for number in numbers:
            old = merged.get(number.place)
            if old is not None and old.n > number.n and not replace:
                kept.append(old)
            else:
                merged[number.place] = number
        replace_file(path, _as_csv(merged.values()))
        page = as_markdown(title, list(merged.values()), sections=sections, before=before)
        replace_file(folder / f"{name}.md", page.encode())
    return tuple(kept)


def write_figure(
    folder: Path, name: str, title: str, png: bytes, numbers: Sequence[Number], *, sections: Sequence[Section] = ()
) -> None:
    """Write `folder`/NAME.png with NAME.csv and NAME.md; a figure is one picture, so its numbers are replaced with it.

    Raises:
        DataError: if it cannot be written.
        ResourceError: if the disk is full.
    """
    with _writing(folder):
        replace_file(folder / f"{name}.png", png)
        replace_file(folder / f"{name}.csv", _as_csv(numbers))
        page = as_markdown(title, numbers, picture=f"{name}.png", sections=sections)
        replace_file(folder / f"{name}.md", page.encode())


def check_smaller(path: Path, numbers: Sequence[Number]) -> None:
    """Refuse numbers that would replace a table or figure that rests on more images.

    Raises:
        ConfigError: if a number in one of their places rests on more images.
        DataError: if what is there is no table of results.
    """
    there = {number.place: number for number in (read_numbers(path) if path.exists() else ())}
    for number in numbers:
        old = there.get(number.place)
        if old is not None and old.n > number.n:
            raise ConfigError(
                f"{path}: rests on {old.n} images, this run on {number.n}; take other --results, or --replace it"
            )


def read_numbers(path: Path) -> tuple[Number, ...]:
    """Read the numbers of a table or figure.

    Raises:
        DataError: if the file is missing or not a table of results.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise DataError(f"{path}: expected the columns {','.join(COLUMNS)}; move the file away")
    try:
        return tuple(_number(row) for row in rows)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: not a table of results ({error}); move it away") from error


def _number(row: Mapping[str, str]) -> Number:
    def optional(name: str) -> float | None:
        return float(row[name]) if row[name] else None

    return Number(
        row["row"],
        row["column"],
        float(row["ours"]),
        optional("low"),
        optional("high"),
        int(row["n"]),
        optional("paper"),
        row["setting"],
    )


def _as_csv(numbers: Iterable[Number]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number in numbers:
        values = (getattr(number, name) for name in COLUMNS)
        writer.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in values])
    return text.getvalue().encode()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Keep every other process from writing results into this folder meanwhile."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise file_error(folder, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
