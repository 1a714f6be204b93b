"""Moiré: the beat of the screen's pixels with the camera's, as the strongest peak in the spectrum of a flat grey."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.calibration.finding import Finding, Photo
from capture.calibration.gamma import GammaFinding
from capture.calibration.view import View
from natadv.errors import DeviceError
from natadv.images import Image
from rigs.calibration import Measure
from rigs.geometry import ScreenGeometry

FRAMES = 16
CODE = 186

_MOST = 1.0  # % of the mean
_SLOW = 3.0  # cycles in the picture; slower is unevenness, not moiré
_LEAST_PX = 32


@dataclass(frozen=True, slots=True)
class Peak:
    """The strongest wave in a picture.

    Attributes:
        amplitude: of its mean.
        period_px: in the frame.
        floor: amplitude that noise alone has in its strongest wave.
    """

    amplitude: float
    period_px: float
    floor: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MoireFinding(Finding):
    """What waves there are on a flat grey."""

    peak: Peak


def find_moire(view: View, geometry: ScreenGeometry, gamma: GammaFinding) -> MoireFinding:
    """Show a flat grey.

    Raises:
        DeviceError: if the picture is too small in the frame.
    """
    view.level(CODE)
    left, top, right, bottom = _inner(geometry)
    if min(right - left, bottom - top) < _LEAST_PX:
        raise DeviceError("camera: the picture is too small in the frame to tell moiré; bring the camera nearer")
    light = gamma.light(view.mean(FRAMES)).mean(-1)[top:bottom, left:right]
    peak, spectrum = strongest(light)
    return MoireFinding(
        title="Moiré",
        said="The spectrum of a flat grey, without what is slower than three waves in the picture.",
        measures=(
            Measure(
                name="strongest wave",
                value=100 * peak.amplitude,
                unit="% of the mean",
                uncertainty=100 * peak.floor,
                high=_MOST,
                mend="defocus slightly, turn the camera by a few degrees about its axis, or change its distance",
            ),
            Measure(name="its period", value=peak.period_px, unit="px of the frame"),
        ),
        photos=(Photo(_drawn(spectrum), "Spectrum of the grey: no wave in the middle, the finest at the edges."),),
        peak=peak,
    )


def strongest(light: NDArray[np.floating]) -> tuple[Peak, NDArray[np.float64]]:
    """Return the strongest wave in linear light, (h, w), and the amplitudes of all, their middle at no wave."""
    height, width = light.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    slow = np.stack([x**i * y**j for i in range(5) for j in range(5 - i)], -1).reshape(-1, 15)
    found, *_ = np.linalg.lstsq(slow, light.ravel().astype(np.float64), rcond=None)
    even = (slow @ found).reshape(light.shape)
    window = np.outer(np.hanning(height), np.hanning(width))
    spectrum = 2 * np.abs(np.fft.fftshift(np.fft.fft2((light / even - 1) * window))) / window.sum()
    down = np.fft.fftshift(np.fft.fftfreq(height))
    across = np.fft.fftshift(np.fft.fftfreq(width))
    fast = np.hypot(down[:, None] * height, across[None] * width) > _SLOW
    place = np.unravel_index(np.where(fast, spectrum, 0).argmax(), spectrum.shape)
    frequency = float(np.hypot(down[place[0]], across[place[1]]))
    # Amplitudes of noise are Rayleigh's; the largest of n is so much above their root mean square.
    typical = float(np.sqrt(np.median(spectrum[fast] ** 2) / np.log(2)))
    floor = typical * float(np.sqrt(np.log(max(2, fast.sum() // 2))))
    return Peak(float(spectrum[place]), 1 / frequency, floor), spectrum


def _inner(geometry: ScreenGeometry) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of a rectangle of the frame that lies in the picture."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = geometry.corners_px
    margin = 0.04 * geometry.scale((1, 1))
    left, right = int(max(ax, dx) + margin) + 1, int(min(bx, cx) - margin)
    top, bottom = int(max(ay, by) + margin) + 1, int(min(cy, dy) - margin)
    return max(0, left), max(0, top), right, bottom


def _drawn(spectrum: NDArray[np.float64]) -> Image:
    share = np.clip((np.log10(spectrum + 1e-9) + 5) / 3, 0, 1)
    coloured = cv2.applyColorMap(np.rint(255 * share).astype(np.uint8), cv2.COLORMAP_VIRIDIS)
    side = (420, round(420 * spectrum.shape[0] / spectrum.shape[1]))
    return np.asarray(cv2.cvtColor(cv2.resize(coloured, side), cv2.COLOR_BGR2RGB), np.uint8)
