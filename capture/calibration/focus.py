"""Focus: how sharp the picture is, by slanted edges in its middle and corners (ISO 12233, Annex D).

An edge that is slanted against the pixels is seen at many distances from its middle, so that its profile is known
four times finer than the pixels are; the profile's slope is the line spread, and its spectrum the modulation transfer.
MTF50, the frequency at which half of the contrast is left, is what is reported: unlike a gradient's width it does not
depend on contrast, and it says at once how near to the sensor's own limit, 0.5 cycles a pixel, the lens is.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.calibration.drawing import coded
from capture.calibration.finding import Chart, Finding, Line, Photo
from capture.calibration.gamma import GammaFinding
from capture.calibration.view import Light, View
from natadv.errors import DeviceError
from natadv.images import Image
from rigs.calibration import Measure
from rigs.geometry import ScreenGeometry

FRAMES = 8
PLACES = {
    "middle": (0.5, 0.5),
    "top left": (0.14, 0.14),
    "top right": (0.86, 0.14),
    "bottom right": (0.86, 0.86),
    "bottom left": (0.14, 0.86),
}
LEAST = 0.12
"""Cycles a pixel; a picture softer than that is not what the camera can see."""

_SLANT = np.tan(np.radians(5.7))
_HALF = 0.1  # half the side of a patch, of the picture
_DARK, _LIGHT = 64, 192
_FINER = 4
_REACH_PX = 12.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FocusFinding(Finding):
    """How sharp the picture is.

    Attributes:
        mtf50: cycles a pixel at which half of the contrast is left, by place.
    """

    mtf50: dict[str, float]


def find_focus(view: View, geometry: ScreenGeometry, gamma: GammaFinding) -> FocusFinding:
    """Show slanted edges.

    Raises:
        DeviceError: if there are too few pixels on an edge.
    """
    view.show(pattern(view.side_px))
    frame = view.mean(FRAMES)
    light = gamma.light(frame).mean(-1)
    mtf50: dict[str, float] = {}
    curves = []
    for name, place in PLACES.items():
        profile = edge_profile(light, geometry, place)
        frequencies, transfer = mtf(profile)
        mtf50[name] = falls_to(frequencies, transfer, 0.5)
        shown = frequencies <= 0.6
        curves.append(Line(name, list(zip(frequencies[shown].tolist(), transfer[shown].tolist(), strict=True))))
    worst = min(mtf50, key=mtf50.__getitem__)
    return FocusFinding(
        title="Focus",
        said="Slanted edges in the middle and the corners; MTF50 is the frequency at which half of the contrast is "
        "left, 0.5 cycles a pixel being the sensor's limit.",
        measures=(
            Measure(
                name="MTF50 in the middle",
                value=mtf50["middle"],
                unit="cycles a pixel",
                low=LEAST,
                mend="focus on the screen and lock the focus",
            ),
            Measure(
                name=f"MTF50 where it is least ({worst})",
                value=mtf50[worst],
                unit="cycles a pixel",
                low=0.6 * LEAST,
                mend="stand straight before the screen, and close the lens by a stop",
            ),
        ),
        photos=(Photo(_patch(frame, geometry), "The edge in the middle, as the camera saw it."),),
        charts=(Chart("Contrast left, by frequency.", "cycles a pixel", "share", tuple(curves)),),
        mtf50=mtf50,
    )


def pattern(side_px: int) -> Image:
    """Return a picture with a slanted edge at each place, dark on its left."""
    y, x = (np.mgrid[0:side_px, 0:side_px] + 0.5) / side_px
    grey = np.full((side_px, side_px), (_DARK + _LIGHT) / 2)
    for middle_x, middle_y in PLACES.values():
        away = _away(x - middle_x, y - middle_y) * side_px
        inside = np.maximum(abs(x - middle_x), abs(y - middle_y)) <= _HALF
        grey[inside] = (_DARK + (_LIGHT - _DARK) * np.clip(0.5 + away, 0, 1))[inside]
    return np.dstack([np.rint(grey).astype(np.uint8)] * 3)


def edge_profile(light: Light, geometry: ScreenGeometry, place: tuple[float, float]) -> NDArray[np.float64]:
    """Return the profile across the edge at a place of the picture, (n,), _FINER samples a pixel of the frame.

    Args:
        light: of the frame, linear, (h, w).
        geometry: of the picture in it.
        place: the edge's middle in the picture.

    Raises:
        DeviceError: if there are too few pixels on it.
    """
    box = geometry.places(np.array(place) + 0.85 * _HALF * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]))
    (left, top), (right, bottom) = np.ceil(box.min(0)).astype(int), np.floor(box.max(0)).astype(int)
    columns, rows = np.meshgrid(np.arange(left, right + 1), np.arange(top, bottom + 1))
    points = geometry.points(np.dstack([columns, rows]).astype(np.float64)) - place
    inside = np.abs(points).max(-1) < 0.85 * _HALF
    away = _away(points[..., 0], points[..., 1])
    # From the picture's units to pixels of the frame, by how fast the distance grows from pixel to pixel.
    down, across = np.gradient(away)
    distance = away / np.hypot(down, across)
    reach = min(_REACH_PX, 0.8 * float(np.abs(distance[inside]).max(initial=0)))
    bins = np.rint(distance * _FINER).astype(int) + int(reach * _FINER)
    count = 2 * int(reach * _FINER) + 1
    used = inside & (bins >= 0) & (bins < count)
    held = np.bincount(bins[used], minlength=count)
    if count < 4 * _FINER or (held == 0).any():
        raise DeviceError("camera: too few pixels on an edge to tell the focus; bring the camera nearer to the screen")
    part = light[top : bottom + 1, left : right + 1]
    return np.asarray(np.bincount(bins[used], part[used].astype(np.float64), count) / held, np.float64)


def mtf(profile: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return frequencies, in cycles a pixel of the frame, and the contrast that is left there."""
    spread = np.diff(profile)
    # The window is centred on the edge, which is where the spread has its weight, and falls off in its outer halves.
    weight = np.abs(spread)
    places = np.arange(len(spread))
    middle = float((places * weight).sum() / weight.sum())
    outwards = np.abs(places - middle) / max(min(middle, len(spread) - 1 - middle), 1.0)
    window = 0.5 + 0.5 * np.cos(np.pi * np.clip(2 * outwards - 1, 0, 1))
    size = 16 * len(spread)
    spectrum = np.abs(np.fft.rfft(spread * window, size))
    frequencies = np.fft.rfftfreq(size, 1 / _FINER)
    # Differences and bins of a quarter pixel take some contrast themselves.
    lost = np.sinc(frequencies / _FINER) ** 2
    return np.asarray(frequencies, np.float64), np.asarray(spectrum / spectrum[0] / np.maximum(lost, 0.1), np.float64)


def falls_to(frequencies: NDArray[np.float64], transfer: NDArray[np.float64], share: float) -> float:
    """Return the frequency at which the contrast first falls to a share; the last one if it never does."""
    below = np.flatnonzero(transfer <= share)
    if not len(below) or below[0] == 0:
        return float(frequencies[-1])
    last = below[0]
    slope = transfer[last - 1] - transfer[last]
    part = (transfer[last - 1] - share) / slope if slope > 0 else 0.0
    return float(frequencies[last - 1] + part * (frequencies[last] - frequencies[last - 1]))


def _away(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance from the slanted edge through (0, 0), to the right."""
    return np.asarray((x + _SLANT * y) / np.hypot(1, _SLANT), np.float64)


def _patch(frame: Light, geometry: ScreenGeometry) -> Image:
    x, y = geometry.places(np.array([0.5, 0.5]))
    half = max(8, int(0.6 * _HALF * geometry.scale((1, 1))))
    part = coded(frame)[max(0, int(y) - half) : int(y) + half, max(0, int(x) - half) : int(x) + half]
    return np.asarray(cv2.resize(part, (300, 300), interpolation=cv2.INTER_NEAREST), np.uint8)
