"""The faces of the drawn traffic signs: twelve pictures seen straight on.

Drawn by this project in the manner of the Vienna convention's signs, no country's in particular. Several differ
in their pictogram alone (three speed limits, two bends, two turns), so that outline and colour do not give
them away.
"""

from collections.abc import Callable
from functools import lru_cache, partial

import cv2
import numpy as np
from numpy.typing import NDArray

FACE_PX = 256

_RED, _BLUE, _YELLOW = (190, 25, 35), (20, 75, 165), (250, 195, 20)
_WHITE, _BLACK = (245, 245, 240), (25, 25, 28)
_SHIFT = 4  # cv2 draws with 4 fractional bits

_Colour = tuple[int, int, int]
_Points = list[tuple[float, float]]
_TRIANGLE: _Points = [(0.0, -0.92), (0.97, 0.76), (-0.97, 0.76)]
_DIAMOND: _Points = [(0.0, -0.97), (0.97, 0.0), (0.0, 0.97), (-0.97, 0.0)]
_OCTAGON: _Points = [(float(np.cos(angle)), float(np.sin(angle))) for angle in np.pi / 8 + np.arange(8) * np.pi / 4]


@lru_cache(maxsize=32)
def sign_face(label: str) -> NDArray[np.uint8]:
    """Return the face of a sign, uint8 RGBA, (256, 256, 4); alpha is 0 outside its outline.

    Raises:
        ValueError: if no sign is called so.
    """
    if label not in _FACES:
        raise ValueError(f"expected one of {', '.join(LABELS)}, got {label!r}")
    canvas = np.zeros((FACE_PX, FACE_PX, 4), np.uint8)
    _FACES[label](canvas)
    canvas.setflags(write=False)
    return canvas


def _pixels(points: _Points) -> NDArray[np.int32]:
    """Map -1..1, y down, to cv2's fixed-point pixels."""
    half = FACE_PX / 2
    return np.round((np.array(points) * half * 0.97 + half) * 2**_SHIFT).astype(np.int32)


def _polygon(canvas: NDArray[np.uint8], points: _Points, colour: _Colour, scale: float = 1.0) -> None:
    centre = np.mean(points, axis=0)
    shrunk = [(float(x), float(y)) for x, y in (np.array(points) - centre) * scale + centre]
    cv2.fillPoly(canvas, [_pixels(shrunk)], (*colour, 255), cv2.LINE_AA, _SHIFT)


def _disc(canvas: NDArray[np.uint8], colour: _Colour, radius: float = 1.0) -> None:
    (x, y), unit = _pixels([(0.0, 0.0)])[0], FACE_PX / 2 * 0.97 * 2**_SHIFT
    cv2.circle(canvas, (int(x), int(y)), int(radius * unit), (*colour, 255), -1, cv2.LINE_AA, _SHIFT)


def _stroke(canvas: NDArray[np.uint8], points: _Points, colour: _Colour, width: float) -> None:
    thickness = max(1, round(width * FACE_PX / 2))
    cv2.polylines(canvas, [_pixels(points)], False, (*colour, 255), thickness, cv2.LINE_AA, _SHIFT)


def _text(canvas: NDArray[np.uint8], text: str, colour: _Colour, width: float, weight: float) -> None:
    thickness = max(1, round(weight * FACE_PX / 2))
    font = cv2.FONT_HERSHEY_SIMPLEX
    (width_px, height_px), _ = cv2.getTextSize(text, font, 1.0, 1)
    scale = width * FACE_PX / 2 / width_px
    corner = (
        round((FACE_PX - width_px * scale) / 2),
        round((FACE_PX + height_px * scale) / 2),
    )
    cv2.putText(canvas, text, corner, font, scale, (*colour, 255), thickness, cv2.LINE_AA)


def _limit(canvas: NDArray[np.uint8], number: str) -> None:
    _disc(canvas, _RED)
    _disc(canvas, _WHITE, 0.76)
    _text(canvas, number, _BLACK, width=1.0, weight=0.16)


def _arrow(canvas: NDArray[np.uint8], points: _Points, head: _Points, colour: _Colour) -> None:
    _stroke(canvas, points, colour, 0.22)
    _polygon(canvas, head, colour)


def _mirrored(points: _Points, side: int) -> _Points:
    return [(side * x, y) for x, y in points]


def _turn(canvas: NDArray[np.uint8], side: int) -> None:
    _disc(canvas, _BLUE)
    shaft: _Points = [(-0.3, 0.6), (-0.3, -0.05), (-0.22, -0.18), (-0.1, -0.22), (0.2, -0.22)]
    head: _Points = [(0.2, -0.58), (0.66, -0.22), (0.2, 0.14)]
    _arrow(canvas, _mirrored(shaft, side), _mirrored(head, side), _WHITE)


def _ahead(canvas: NDArray[np.uint8]) -> None:
    _disc(canvas, _BLUE)
    _arrow(canvas, [(0.0, 0.68), (0.0, -0.1)], [(-0.4, -0.12), (0.0, -0.68), (0.4, -0.12)], _WHITE)


def _warning(canvas: NDArray[np.uint8]) -> None:
    _polygon(canvas, _TRIANGLE, _RED)
    _polygon(canvas, _TRIANGLE, _WHITE, 0.72)


def _bend(canvas: NDArray[np.uint8], side: int) -> None:
    _warning(canvas)
    shaft: _Points = [(-0.14, 0.5), (-0.14, 0.3), (-0.08, 0.18), (0.04, 0.08), (0.1, 0.02)]
    head: _Points = [(-0.08, -0.08), (0.26, -0.22), (0.24, 0.2)]
    _stroke(canvas, _mirrored(shaft, side), _BLACK, 0.14)
    _polygon(canvas, _mirrored(head, side), _BLACK)


def _caution(canvas: NDArray[np.uint8]) -> None:
    _warning(canvas)
    _polygon(canvas, [(-0.1, -0.28), (0.1, -0.28), (0.05, 0.26), (-0.05, 0.26)], _BLACK)
    _stroke(canvas, [(0.0, 0.44), (0.0, 0.45)], _BLACK, 0.17)


def _no_entry(canvas: NDArray[np.uint8]) -> None:
    _disc(canvas, _RED)
    _polygon(canvas, [(-0.7, -0.17), (0.7, -0.17), (0.7, 0.17), (-0.7, 0.17)], _WHITE)


def _priority(canvas: NDArray[np.uint8]) -> None:
    _polygon(canvas, _DIAMOND, _WHITE)
    _polygon(canvas, _DIAMOND, _BLACK, 0.92)
    _polygon(canvas, _DIAMOND, _WHITE, 0.86)
    _polygon(canvas, _DIAMOND, _YELLOW, 0.62)


def _stop(canvas: NDArray[np.uint8]) -> None:
    _polygon(canvas, _OCTAGON, _WHITE)
    _polygon(canvas, _OCTAGON, _RED, 0.92)
    _text(canvas, "STOP", _WHITE, width=1.4, weight=0.11)


_FACES: dict[str, Callable[[NDArray[np.uint8]], None]] = {
    "ahead": _ahead,
    "bend-left": partial(_bend, side=-1),
    "bend-right": partial(_bend, side=1),
    "caution": _caution,
    "limit-30": partial(_limit, number="30"),
    "limit-50": partial(_limit, number="50"),
    "limit-80": partial(_limit, number="80"),
    "no-entry": _no_entry,
    "priority": _priority,
    "stop": _stop,
    "turn-left": partial(_turn, side=-1),
    "turn-right": partial(_turn, side=1),
}
LABELS = tuple(_FACES)
