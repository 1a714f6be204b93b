"""Vignetting: how much darker a flat field is towards the frame's corners, and how evenly it is lit in between."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capture.calibration.drawing import heat
from capture.calibration.finding import Finding, Photo
from capture.calibration.gamma import GammaFinding
from capture.calibration.view import Light, View, sampled
from rigs.calibration import Measure
from rigs.geometry import ScreenGeometry

FRAMES = 8
CODE = 230

_SIDE = 48
_INSET = 0.02


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VignettingFinding(Finding):
    """A flat field.

    Attributes:
        loss: share of the light that is lost in the frame's corners, as it grows with the square of the distance.
        flat: the mean frame, linear light, (h, w, 3).
    """

    loss: float
    flat: Light


def find_vignetting(view: View, geometry: ScreenGeometry, gamma: GammaFinding) -> VignettingFinding:
    """Show a flat field."""
    view.level(CODE)
    flat = gamma.light(view.mean(FRAMES))
    field = sampled(flat, geometry, _SIDE, inset=_INSET).mean(-1)
    middles = _INSET + (1 - 2 * _INSET) * (np.arange(_SIDE) + 0.5) / _SIDE
    places = geometry.places(np.dstack(np.meshgrid(middles, middles)))
    loss, loss_sd = fit_loss(field, places, view.frame_size)
    even = np.percentile(field, 99)
    darkest = float(np.percentile(field, 1) / even)
    return VignettingFinding(
        title="Vignetting",
        said=f"A flat field of code {CODE}, in linear light; a slope across it is fitted beside the vignetting.",
        measures=(
            Measure(
                name="light lost in the frame's corners",
                value=100 * loss,
                unit="%",
                uncertainty=100 * loss_sd,
                high=60,
                mend="close the lens by a stop, or let the picture fill less of the frame",
            ),
            Measure(
                name="darkest part of the picture",
                value=100 * darkest,
                unit="% of its brightest",
                low=50,
                mend="close the lens by a stop, stand straight before the screen, take away what shades it",
            ),
        ),
        photos=(
            Photo(
                heat(field / even, 0.5, 1.0),
                "Light of the flat field over the picture, of its brightest: dark blue is half, yellow all.",
            ),
        ),
        loss=loss,
        flat=flat,
    )


def fit_loss(
    field: NDArray[np.floating], places: NDArray[np.float64], frame_size: tuple[int, int]
) -> tuple[float, float]:
    """Return the share of light lost in the frame's corners, and its standard deviation.

    Args:
        field: linear light, (h, w).
        places: where in the frame it was seen, (h, w, 2).
        frame_size: its (height, width).
    """
    height, width = frame_size
    about = (places - [(width - 1) / 2, (height - 1) / 2]) / (np.hypot(width - 1, height - 1) / 2)
    x, y = about[..., 0].ravel(), about[..., 1].ravel()
    terms = np.column_stack([np.ones_like(x), x, y, x**2 + y**2])
    found, *_ = np.linalg.lstsq(terms, field.ravel().astype(np.float64), rcond=None)
    off = field.ravel() - terms @ found
    spread = np.sqrt(np.linalg.inv(terms.T @ terms)[3, 3] * off.var())
    return float(-found[3] / found[0]), float(spread / found[0])
