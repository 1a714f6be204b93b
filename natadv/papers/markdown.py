"""A table of results for people: rows and columns as in the paper, the paper's number beside ours."""

from collections.abc import Iterable, Sequence

from natadv.papers.number import Number


def as_markdown(title: str, numbers: Sequence[Number], *, picture: str | None = None) -> str:
    """Return a page with a table, whose cells are as "84.2 [76.1–90.0], n 101 (paper 88.1) ¹", and its settings."""
    rows, columns = _distinct(n.row for n in numbers), _distinct(n.column for n in numbers)
    settings = _distinct(n.setting for n in numbers)
    cells = {n.place: _cell(n, settings.index(n.setting) + 1 if len(settings) > 1 else None) for n in numbers}
    lines = [f"# {title}", ""]
    if picture:
        lines += [f"![{title}]({picture})", ""]
    if numbers:
        lines += [
            _line(["", *columns]),
            _line(["---"] * (len(columns) + 1)),
            *(_line([row, *(cells.get((row, column), "") for column in columns)]) for row in rows),
            "",
            "Ours [95 % interval, unless the setting says otherwise], n images (the paper's number, where it has one).",
            "",
        ]
    if len(settings) == 1:
        lines += [f"Measured on: {settings[0]}."]
    else:
        lines += [f"{number}. {entry}" for number, entry in enumerate(settings, 1)]
    return "\n".join(lines).rstrip() + "\n"


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
