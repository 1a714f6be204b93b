"""The study's pictures: bars of seen kinds, heat maps of unseen ones beside the paper's, bars of teachings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from natadv.papers.detection import KINDS, paper_mean
from natadv.papers.detection import TABLE_1 as PRINTED
from natadv.papers.detection_tables.bench import Backbone
from natadv.papers.detection_tables.study import FLOOR
from natadv.papers.number import Number
from natadv.papers.panels import as_png

_PAPERS_MEAN = "paper, mean of its five networks"


@dataclass(frozen=True)
class HeatMap:
    """A matrix of areas.

    Attributes:
        title: above it.
        rows: kinds learnt, or what else a row is.
        columns: kinds tested.
        areas: percent, by row and column; what is missing stays empty.
    """

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    areas: Mapping[tuple[str, str], float]


def heat_maps(numbers: Sequence[Number], backbones: Sequence[Backbone], kinds: tuple[str, ...]) -> bytes:
    """Draw Table 1 as PNG: of each backbone ours, and beside it the paper's of the kinds that both have."""
    figure = Figure(figsize=(16, 6.6 * len(backbones)), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    places = figure.subplots(len(backbones), 2, squeeze=False, width_ratios=(len(kinds), len(KINDS)))
    heats = [heat for backbone in backbones for heat in (_ours(numbers, backbone, kinds), _papers(backbone))]
    images = [_draw_heat(place, heat) for place, heat in zip(places.flat, heats, strict=True)]
    figure.colorbar(images[0], ax=places, shrink=0.6, label="area, %; below 50: taken for cleaner than clean")
    return as_png(canvas)


def bars(numbers: Sequence[Number], columns: Sequence[str], title: str) -> bytes:
    """Draw columns of a table as PNG, percent up to 100: groups of bars with their intervals, a group a row."""
    lowest = min(10 * (_or(number.low, number.ours) // 10) for number in numbers if number.column in columns)
    rows = tuple(dict.fromkeys(number.row for number in numbers))
    places = {row: place for place, row in enumerate(rows)}
    figure = Figure(figsize=(max(7.0, 0.75 * len(rows)), 4.5), dpi=120, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    width = 0.8 / len(columns)
    for turn, column in enumerate(columns):
        some = [number for number in numbers if number.column == column]
        ours = np.array([number.ours for number in some])
        ends = np.array([(_or(number.low, number.ours), _or(number.high, number.ours)) for number in some])
        axes.bar(
            [places[number.row] + (turn - (len(columns) - 1) / 2) * width for number in some],
            ours - lowest,
            width,
            bottom=lowest,
            yerr=np.abs(ends.T - ours),
            capsize=2,
            label=column,
            color="0.75" if column == FLOOR else None,
            error_kw={"linewidth": 0.8},
        )
    axes.set_xticks(range(len(rows)), rows, rotation=40, ha="right", fontsize=8)
    axes.set_ylabel("%")
    axes.set_ylim(lowest, 101)
    axes.grid(axis="y", alpha=0.3)
    figure.suptitle(title, fontsize=9)
    figure.legend(fontsize=8, loc="outside lower center", ncols=min(4, len(columns)))
    return as_png(canvas)


def _or(value: float | None, other: float) -> float:
    return other if value is None else value


def _ours(numbers: Sequence[Number], backbone: Backbone, kinds: tuple[str, ...]) -> HeatMap:
    rows = {f"{backbone.name}: {kind}": kind for kind in kinds} | {FLOOR: FLOOR}
    areas = {
        (rows[number.row], number.column): number.ours
        for number in numbers
        if number.row in rows and number.column in kinds
    }
    return HeatMap(f"ours, {backbone.described}", (*kinds, FLOOR), kinds, areas)


def _papers(backbone: Backbone) -> HeatMap:
    known = backbone.name in PRINTED
    areas = {
        (row, column): paper_mean(backbone.name, (row,), (column,))
        for row in KINDS
        for column in KINDS
        if row != column
    }
    return HeatMap(f"paper, {backbone.name}" if known else _PAPERS_MEAN, KINDS, KINDS, areas)


def _draw_heat(axes: Axes, heat: HeatMap) -> AxesImage:
    shown = np.full((len(heat.rows), len(heat.columns)), np.nan)
    for (row, column), area in heat.areas.items():
        shown[heat.rows.index(row), heat.columns.index(column)] = area
    heated = axes.imshow(shown, cmap="RdBu_r", vmin=0, vmax=100)
    for (row, column), area in np.ndenumerate(shown):
        if np.isfinite(area):
            colour = "white" if abs(area - 50) > 35 else "black"
            axes.text(column, row, f"{area:.0f}", ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(len(heat.columns)), heat.columns, rotation=40, ha="right", fontsize=8)
    axes.set_yticks(range(len(heat.rows)), heat.rows, fontsize=8)
    axes.set_xlabel("tested on", fontsize=9)
    axes.set_ylabel("learnt", fontsize=9)
    axes.set_title(heat.title, fontsize=10)
    return heated
