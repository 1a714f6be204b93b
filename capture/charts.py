"""Charts of a report as inline SVG: nothing to load, and it prints."""

from collections.abc import Sequence
from itertools import pairwise

from capture.outcome import CoverageOutcome

# Blue, orange, green, purple: told apart by most eyes, on paper too (Okabe and Ito 2008).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#8e5a9f")
_WRONG = "#d9480f"


def sparkline(times_s: Sequence[float], confidences: Sequence[float], wrong: Sequence[bool]) -> str:
    """Return a clip as a strip of time: red where the model is wrong, its confidence in the true label as a line."""
    width, height = 148.0, 30.0
    start, count = times_s[0], len(times_s)
    step = (times_s[-1] - start) / (count - 1) if count > 1 else 1.0
    span = times_s[-1] - start + step
    places = [width * (time - start) / span for time in times_s] + [width]
    bars = []
    first: int | None = None
    for number, is_wrong in enumerate([*wrong, False]):
        if is_wrong and first is None:
            first = number
        if not is_wrong and first is not None:
            left = places[first]
            bars.append(f'<rect x="{left:.1f}" width="{places[number] - left:.1f}" height="{height:g}"/>')
            first = None
    points = " ".join(
        f"{(left + right) / 2:.1f},{1 + (height - 2) * (1 - value):.1f}"
        for (left, right), value in zip(pairwise(places), confidences, strict=True)
    )
    title = f"{sum(wrong)} of {count} frames wrong; the line is the confidence in the true label over {span:.1f} s"
    return (
        f'<svg class="spark" viewBox="0 0 {width:g} {height:g}" role="img"><title>{title}</title>'
        f'<rect class="all" width="{width:g}" height="{height:g}"/><g fill="{_WRONG}" fill-opacity=".55">'
        f'{"".join(bars)}</g><polyline points="{points}"/></svg>'
    )


def coverage_chart(scans: Sequence[Sequence[CoverageOutcome]]) -> str:
    """Return attack success over images against drop coverage: a line per scan with its 95 % intervals.

    Args:
        scans: their bins; bins that one lacks are gaps in its line.
    """
    bins = sorted({(entry.low, entry.high) for scan in scans for entry in scan})
    left, top, plot_height = 46.0, 14.0, 220.0
    slot = max(76.0, min(170.0, 760 / len(bins)))
    width, bottom = max(620.0, left + slot * len(bins) + 10), top + plot_height
    parts = [
        f'<svg class="chart" viewBox="0 0 {width:g} {bottom + 62:g}" style="max-width:{width:g}px" role="img">'
        "<title>Attack success rate against drop coverage</title>"
    ]
    for percent in range(0, 101, 25):
        y = bottom - plot_height * percent / 100
        parts.append(f'<line class="grid" x1="{left:g}" x2="{left + slot * len(bins):g}" y1="{y:g}" y2="{y:g}"/>')
        parts.append(f'<text x="{left - 8:g}" y="{y + 4:g}" text-anchor="end">{percent} %</text>')
    for place, (low, high) in enumerate(bins):
        x = left + slot * (place + 0.5)
        parts.append(f'<text x="{x:g}" y="{bottom + 18:g}" text-anchor="middle">{100 * low:g}–{100 * high:g} %</text>')
        images = [next((e.images.total for e in scan if (e.low, e.high) == (low, high)), 0) for scan in scans]
        shown = " / ".join(map(str, images if len(set(images)) > 1 else images[:1]))
        parts.append(f'<text class="n" x="{x:g}" y="{bottom + 33:g}" text-anchor="middle">n = {shown}</text>')
    parts.append(
        f'<text class="axis" x="{left:g}" y="{bottom + 54:g}">'
        "share of the picture that drops cover; n: images with frames in that range</text>"
    )
    for number, scan in enumerate(scans):
        parts.append(_curve(number, len(scans), scan, bins, (left, bottom, plot_height, slot)))
    parts.append("</svg>")
    return "".join(parts)


def _curve(
    number: int,
    count: int,
    scan: Sequence[CoverageOutcome],
    bins: Sequence[tuple[float, float]],
    plot: tuple[float, float, float, float],
) -> str:
    left, bottom, height, slot = plot
    colour = COLOURS[number % len(COLOURS)]
    shift = 12 * (number - (count - 1) / 2)
    parts, points = [], []
    for entry in scan:
        if entry.images.value is None:
            continue
        x = left + slot * (bins.index((entry.low, entry.high)) + 0.5) + shift
        y, high, low = (bottom - height * v for v in (entry.images.value, entry.images.high, entry.images.low))
        points.append(f"{x:.1f},{y:.1f}")
        share = f"{100 * entry.images.value:.0f} % ({entry.images.hits} of {entry.images.total} images)"
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{high:.1f}" y2="{low:.1f}" stroke-width="2"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"><title>{share}</title></circle>')
    line = f'<polyline fill="none" stroke-opacity=".45" stroke-width="2" points="{" ".join(points)}"/>'
    return f'<g stroke="{colour}" fill="{colour}">{line}{"".join(parts)}</g>'
