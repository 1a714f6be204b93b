"""A table of results for people: rows and columns as in the paper, the paper's number beside ours."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from natadv.papers.number import Number


@dataclass(frozen=True)
class Section:
    """A part of a table that is too wide for a page.

    Attributes:
        title: above it.
        columns: how the names of its columns begin.
    """

    title: str
    columns: tuple[str, ...]


def as_markdown(
    title: str,
    numbers: Sequence[Number],
    *,
    picture: str | None = None,
    sections: Sequence[Section] = (),
    before: Sequence[str] = (),
) -> str:
    """Return a page with a table, whose cells are as "84.2 [76.1–90.0], n 101 (paper 88.1) ¹", and its settings.

    Args:
        title: of the page.
        numbers: of the table, in the order of rows and columns.
        picture: file of a figure, above the table.
        sections: tables of their own; columns of none of them are in the first table.
        before: lines above the first table.
    """
    settings = _distinct(n.setting for n in numbers)
    marks = {entry: number for number, entry in enumerate(settings, 1)} if len(settings) > 1 else {}
    parts: dict[str, list[Number]] = {one.title: [] for one in (Section("", ()), *sections)}
    for number in numbers:
        parts[next((one.title for one in sections if number.column.startswith(one.columns)), "")].append(number)
    lines = [f"# {title}", ""]
    if picture:
        lines += [f"![{title}]({picture})", ""]
    lines += before
    for name, some in parts.items():
        if some:
            lines += [*([f"## {name}", ""] if name else []), *_table(some, marks), ""]
    if numbers:
        lines += [
            "Ours [95 % interval, unless the setting says otherwise], n images (the paper's number, where it has one).",
            "",
        ]
    if len(settings) == 1:
        lines += [f"Measured on: {settings[0]}."]
    else:
        lines += [f"{number}. {entry}" for number, entry in enumerate(settings, 1)]
    return "\n".join(lines).rstrip() + "\n"


def _table(numbers: Sequence[Number], marks: Mapping[str, int]) -> list[str]:
    rows, columns = _distinct(n.row for n in numbers), _distinct(n.column for n in numbers)
    cells = {n.place: _cell(n, marks.get(n.setting)) for n in numbers}
    return [
        _line(["", *columns]),
        _line(["---"] * (len(columns) + 1)),
        *(_line([row, *(cells.get((row, column), "") for column in columns)]) for row in rows),
    ]


def _cell(number: Number, mark: int | None) -> str:
    text = _plain(number.ours)
    if number.low is not None and number.high is not None:
        text += f" [{_plain(number.low)}–{_plain(number.high)}]"
    text += f", n {number.n}"
    if number.paper is not None:
        text += f" (paper {_plain(number.paper)})"
    return text if mark is None else f"{text} <sup>{mark}</sup>"


def _plain(value: float) -> str:
    """Return one decimal from 10 on, and three significant digits below, where a ratio or a time may be small."""
    return f"{value:.1f}" if abs(value) >= 10 or value == 0 else f"{value:.3g}"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
