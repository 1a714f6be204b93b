"""Curves of numbers: a line a row, with its intervals."""

from collections.abc import Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from natadv.papers.number import Number
from natadv.papers.panels import as_png


def curves(numbers: Sequence[Number], *, across: str, up: str) -> bytes:
    """Draw numbers as PNG, a curve for each row over its columns, which are numbers themselves.

    Args:
        numbers: with intervals.
        across: title of the horizontal axis.
        up: title of the vertical axis.
    """
    figure = Figure(figsize=(6, 4), dpi=150, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    for row in dict.fromkeys(number.row for number in numbers):
        line = sorted((number for number in numbers if number.row == row), key=lambda number: float(number.column))
        places = [float(number.column) for number in line]
        below = [number.ours - (number.ours if number.low is None else number.low) for number in line]
        above = [(number.ours if number.high is None else number.high) - number.ours for number in line]
        axes.errorbar(places, [number.ours for number in line], (below, above), marker="o", capsize=3, label=row)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return as_png(canvas)
