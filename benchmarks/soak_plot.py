"""A soak in one plot: memory, handles, threads, rate and gaps over time, with the camera's faults and the swaps."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot

from benchmarks.soak_judge import Sample, cycle_means, cycle_s, faults_of, longest_gap_s


def draw(
    samples: Sequence[Sample],
    predicted_s: np.ndarray,
    figures: dict[str, Any],
    path: Path,
    *,
    ahead_s: float,
    every_s: float,
) -> None:
    """Draw all of it over time.

    Args:
        samples: of the run.
        predicted_s: when each prediction was published, in seconds since the soak began, (n,).
        figures: of `benchmarks.soak_judge.judge`.
        path: PNG to write.
        ahead_s: how far the camera's clock is ahead.
        every_s: from one of the camera's faults to the next.
    """
    pyplot.switch_backend("agg")
    minutes = [one.at_s / 60 for one in samples]
    steps = list(itertools.pairwise(samples))
    series = (
        ("resident memory, MB", [one.rss_mb for one in samples]),
        ("file handles", [one.handles for one in samples]),
        ("threads", [one.threads for one in samples]),
        ("predictions a second", [np.nan, *((a.predicted - b.predicted) / (a.at_s - b.at_s) for b, a in steps)]),
        ("longest gap, s", [np.nan, *(longest_gap_s(predicted_s, b.at_s, a.at_s) for b, a in steps)]),
    )
    chart, rows = pyplot.subplots(len(series), 1, figsize=(11, 11), sharex=True)
    for axis, (title, values) in zip(rows, series, strict=True):
        axis.plot(minutes, values, linewidth=1, color="#1f5fa8")
        axis.set_ylabel(title)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        for _, since_s, over_s in faults_of(samples[-1].at_s, ahead_s, every_s):
            axis.axvspan(since_s / 60, max(over_s, since_s + 1) / 60, color="#c0392b", alpha=0.2, linewidth=0)
        for swap in figures["swaps"]:
            axis.axvline(swap["asked_s"] / 60, color="#2a8f4a", linewidth=1)
    length_s = cycle_s(every_s)
    for middle_s, mean in cycle_means(samples, length_s):
        ends = [(middle_s - length_s / 2) / 60, (middle_s + length_s / 2) / 60]
        rows[0].plot(ends, [mean, mean], color="#d68910", linewidth=2)
        rows[0].text(middle_s / 60, mean, f"{mean:.0f}", ha="center", va="bottom", color="#d68910")
    for swap in figures["swaps"]:
        rows[-1].plot(swap["asked_s"] / 60, swap["longest_gap_s"], "o", color="#2a8f4a", markersize=4)
        text = f"{swap['longest_gap_s']:.2f}" + (f" {swap['fault']}" if swap["fault"] else "")
        rows[-1].text(swap["asked_s"] / 60, swap["longest_gap_s"], f" {text}", fontsize=7, va="bottom")
    rows[-1].set_xlabel(
        "minutes; red: the camera fails, green: a swap and its longest gap, orange: a whole cycle's mean"
    )
    slope, spread = figures["rss_mb_slope_of_means_per_hour"], figures["rss_mb_spread_of_means"]
    memory = f"{slope:+} MB/h, spread {spread} MB" if slope is not None else "too short for a slope"
    rows[0].set_title(
        f"{figures['predictions']} predictions; memory of {figures['memory_cycle_minutes']:g}-minute cycles: {memory}\n"
        f"{figures['faults']} faults, {figures['faults_not_recovered_from']} not recovered from;"
        f" {figures['swaps_done']} of {figures['swaps_asked']} swaps, without a fault the longest gap was"
        f" {figures['longest_gap_s_around_a_swap_without_a_fault']} s",
        fontsize=10,
    )
    chart.tight_layout()
    chart.savefig(path, dpi=90)
    pyplot.close(chart)
