"""Colour: from the screen's linear red, green and blue to the camera's, by patches: an affine matrix, least squares."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.calibration.finding import Finding, Photo
from capture.calibration.gamma import GammaFinding
from capture.calibration.view import Light, View, sampled
from capture.calibration.vignetting import VignettingFinding
from natadv.images import Image
from rigs.calibration import Measure
from rigs.geometry import ScreenGeometry

FRAMES = 8
PATCHES = 6  # a side

_CELL = 16  # samples a side of a patch
_DARK, _LIGHT = 48, 224


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ColourFinding(Finding):
    """How the camera sees colours.

    Attributes:
        matrix: (3, 4), from the screen's linear red, green, blue and 1 to the camera's; white is 1 in both.
        residual: root mean square of what the matrix does not explain, of white.
    """

    matrix: NDArray[np.float64]
    residual: float


def find_colour(
    view: View, geometry: ScreenGeometry, gamma: GammaFinding, field: VignettingFinding, chance: np.random.Generator
) -> ColourFinding:
    """Show patches: the corners of the colour cube, greys, and the rest at random."""
    codes = patches(chance)
    side = view.side_px
    chart = cv2.resize(codes.reshape(PATCHES, PATCHES, 3), (side, side), interpolation=cv2.INTER_NEAREST)
    view.show(np.asarray(chart, np.uint8))
    seen = gamma.light(view.mean(FRAMES))
    flat = _middles(field.flat, geometry)
    even = flat.mean(1, keepdims=True) / flat.mean()
    shown = gamma.black + (1 - gamma.black) * (codes / 255.0) ** gamma.screen
    matrix, white, off = fit_colours(shown, _middles(seen, geometry) / even)
    residual = float(np.sqrt((off**2).mean()))
    mixed = float(np.abs(matrix[:, :3] - np.diag(np.diag(matrix[:, :3]))).max())
    balance = white / white[1]
    mend = "set and lock the camera's white balance on a white picture"
    return ColourFinding(
        title="Colour",
        said=f"{len(codes)} patches in one picture, each divided by the flat field; a matrix from the screen's light "
        "to the camera's, white being 1 in both.",
        measures=(
            Measure(
                name="patches about the matrix",
                value=100 * residual,
                unit="% of white, rms",
                high=3.0,
                mend="turn off the camera's and the monitor's colour processing, and reflections on the screen",
            ),
            Measure(name="red of white, by its green", value=float(balance[0]), low=0.8, high=1.25, mend=mend),
            Measure(name="blue of white, by its green", value=float(balance[2]), low=0.8, high=1.25, mend=mend),
            Measure(
                name="largest share of another channel",
                value=100 * mixed,
                unit="%",
                high=40,
                mend="set the camera's saturation to its middle, and the monitor to sRGB",
            ),
        ),
        photos=(Photo(_compared(codes, shown @ matrix[:, :3].T + matrix[:, 3] + off, gamma.screen), _CAPTION),),
        matrix=matrix,
        residual=residual,
    )


_CAPTION = (
    "Each patch as it was shown, and in its middle as the camera saw it, its light made even and white set to white."
)


def patches(chance: np.random.Generator) -> NDArray[np.uint8]:
    """Return the colours of a chart, uint8 (n, 3)."""
    cube = np.array(np.meshgrid(*[(_DARK, _LIGHT)] * 3)).reshape(3, -1).T
    greys = np.repeat(np.linspace(_DARK, _LIGHT, 8)[1:-1].round()[:, None], 3, 1)
    free = chance.integers(_DARK, _LIGHT, (PATCHES**2 - len(cube) - len(greys), 3))
    codes = np.concatenate([cube, greys, free]).astype(np.uint8)
    return codes[chance.permutation(len(codes))]


def fit_colours(
    shown: NDArray[np.float64], seen: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Fit an affine matrix.

    Args:
        shown: linear light of the patches on the screen, (n, 3), white 1.
        seen: the camera's, (n, 3).

    Returns:
        The matrix (3, 4), the camera's light of white (3,), by which matrix and residuals are divided, and the
        residuals (n, 3).
    """
    terms = np.column_stack([shown, np.ones(len(shown))])
    found, *_ = np.linalg.lstsq(terms, np.asarray(seen, np.float64), rcond=None)
    white = found.sum(0)
    return (found / white).T, white, (seen - terms @ found) / white


def _middles(mean: Light, geometry: ScreenGeometry) -> NDArray[np.float64]:
    """Return the mean light of the middle of each patch, (n, 3)."""
    cells = sampled(mean, geometry, PATCHES * _CELL).reshape(PATCHES, _CELL, PATCHES, _CELL, 3)
    quarter = _CELL // 4
    inner = cells[:, quarter:-quarter, :, quarter:-quarter]
    return np.asarray(inner.mean((1, 3), dtype=np.float64).reshape(-1, 3))


def _compared(codes: NDArray[np.uint8], light: NDArray[np.float64], gamma: float) -> Image:
    cell = 60
    seen = np.rint(255 * np.clip(light, 0, 1) ** (1 / gamma)).astype(np.uint8)
    sheet = np.kron(codes.reshape(PATCHES, PATCHES, 3), np.ones((cell, cell, 1), np.uint8))
    for number, colour in enumerate(seen):
        top, left = cell * (number // PATCHES), cell * (number % PATCHES)
        sheet[top + 16 : top + cell - 16, left + 16 : left + cell - 16] = colour
    return sheet
