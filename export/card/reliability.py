"""The reliability diagram of a card as inline SVG; its colours are the page's."""

import math
from typing import Final

from export.calibration import Calibration
from natadv.evaluation.calibration import Bin

_LEFT: Final = 46.0
_TOP: Final = 10.0
_SIDE: Final = 240.0
_BOTTOM: Final = _TOP + _SIDE
_LEAST: Final = 2.5
_MOST: Final = 10.0
"""Radius of the point of one image, about, and of all: the area goes with their number."""


def reliability_diagram(calibration: Calibration) -> str:
    """Return how often the model is right against how sure it is: points with the temperature, hollow ones without."""
    parts = [
        f'<svg class="reliability" viewBox="0 0 {_LEFT + _SIDE + 22:g} {_BOTTOM + 44:g}" role="img">'
        "<title>How often the model is right against how sure it is</title>"
    ]
    for percent in range(0, 101, 25):
        x, y = _place(percent / 100, percent / 100)
        parts.append(f'<line class="grid" x1="{_LEFT:g}" x2="{_LEFT + _SIDE:g}" y1="{y:g}" y2="{y:g}"/>')
        parts.append(f'<text x="{_LEFT - 7:g}" y="{y + 4:g}" text-anchor="end">{percent} %</text>')
        parts.append(f'<text x="{x:g}" y="{_BOTTOM + 17:g}" text-anchor="middle">{percent} %</text>')
    parts.append(f'<line class="ideal" x1="{_LEFT:g}" y1="{_BOTTOM:g}" x2="{_LEFT + _SIDE:g}" y2="{_TOP:g}"/>')
    parts.append(f'<text x="{_LEFT:g}" y="{_BOTTOM + 36:g}">across: how sure; up: how often right</text>')
    before = (_point(one, calibration.images) for one in calibration.reliability_before)
    now = (_whisker(one) + _point(one, calibration.images) for one in calibration.reliability)
    parts.append(f'<g class="before">{"".join(before)}</g><g class="now">{"".join(now)}</g></svg>')
    return "".join(parts)


def _point(one: Bin, images: int) -> str:
    x, y = _place(one.confidence, one.right.value)
    radius = _LEAST + (_MOST - _LEAST) * math.sqrt(one.right.total / images)
    said = f"{100 * one.confidence:.0f} % sure, {one.right}"
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"><title>{said}</title></circle>'


def _whisker(one: Bin) -> str:
    x, (low, high) = _place(one.confidence, 0)[0], (_place(0, end)[1] for end in one.right.interval)
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{high:.1f}" y2="{low:.1f}"/>'


def _place(confidence: float, share: float) -> tuple[float, float]:
    return _LEFT + _SIDE * confidence, _BOTTOM - _SIDE * share
