"""Curves of numbers: a line a row, with its intervals, and the paper's numbers beside."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from natadv.papers.number import Number
from natadv.papers.panels import as_png


def curves(numbers: Sequence[Number], *, across: str, up: str, logarithmic: bool = False) -> bytes:
    """Draw numbers as PNG, a curve for each row over its columns, which are numbers themselves.

    Rows "NAME" and "NAME, MORE" are of one colour, the second dashed. The paper's numbers are crosses of that colour.

    Args:
        numbers: with intervals.
        across: title of the horizontal axis.
        up: title of the vertical axis.
        logarithmic: let the horizontal axis be so, with a tick a column; for columns that double rather than step.
    """
    figure = Figure(figsize=(7, 4), dpi=150, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    rows = list(dict.fromkeys(number.row for number in numbers))
    names = list(dict.fromkeys(row.partition(", ")[0] for row in rows))
    for row in rows:
        name, _, more = row.partition(", ")
        line = sorted((number for number in numbers if number.row == row), key=lambda number: float(number.column))
        _draw(axes, line, f"C{names.index(name)}", "--" if more else "-")
    if logarithmic:
        axes.set_xscale("log")
        columns = sorted({number.column for number in numbers}, key=float)
        axes.set_xticks([float(column) for column in columns], labels=columns)
        axes.minorticks_off()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(alpha=0.3)
    handles, labels = axes.get_legend_handles_labels()
    if any(number.paper is not None for number in numbers):
        handles.append(Line2D([], [], color="0.4", marker="x", linestyle="none"))
        labels.append("the paper's")
    axes.legend(handles, labels, fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)
    return as_png(canvas)


def _draw(axes: Axes, line: Sequence[Number], colour: str, style: str) -> None:
    places = [float(number.column) for number in line]
    below = [number.ours - (number.ours if number.low is None else number.low) for number in line]
    above = [(number.ours if number.high is None else number.high) - number.ours for number in line]
    looks = {"color": colour, "linestyle": style, "marker": "o", "markersize": 4, "capsize": 3, "label": line[0].row}
    axes.errorbar(places, [number.ours for number in line], (below, above), **looks)
    papers = [(place, number.paper) for place, number in zip(places, line, strict=True) if number.paper is not None]
    if papers:
        axes.plot(*zip(*papers, strict=True), color=colour, marker="x", markersize=8, linestyle="none")
