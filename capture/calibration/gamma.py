"""Gamma: the camera's curve by dithered blacks and whites, then the screen's by a ramp of greys.

A grey ramp alone shows both curves in one, light = code^γ on the screen and code = light^(1/γ) in the camera. But a
fine pattern of black and white pixels gives its share of white's light whatever the screen's curve is; so it tells the
camera's, and with it the ramp tells the screen's. Codes are turned into light before they are averaged over the
picture, so that it does not matter how much of the pattern the camera resolves, as long as it blurs some of it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capture.calibration.finding import Chart, Finding, Line
from capture.calibration.fit import fitted
from capture.calibration.view import Light, View, inner
from natadv.errors import DeviceError
from natadv.images import Image
from natadv.raindrops.light import GAMMA
from rigs.calibration import Measure
from rigs.geometry import ScreenGeometry

FRAMES = 4
RAMP = (0, 8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 255)
DITHERS = ((3, 0), (3, 1), (3, 2), (2, 1), (3, 3), (3, 4), (2, 2), (3, 6), (2, 3), (3, 9))
"""Cells of dithered patterns: side, and how many pixels of a cell are white."""

_INSET = 0.3  # the middle of the picture, where the camera is at its most even
_GAMMAS = (0.3, 6.0)  # of any camera or screen
_NOISE = 5e-4  # of a mean code, of white: rounding alone does as much
_SURE = 0.1  # standard deviation of the camera's gamma, or the ramp alone says nothing of it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GammaFinding(Finding):
    """The two curves.

    Attributes:
        camera: exponent by which the camera's codes become light; the usual 2.2 where it cannot be told.
        screen: exponent by which the screen's codes become light.
        black: light of the screen's black, white being 1.
    """

    camera: float
    screen: float
    black: float

    def light(self, codes: Light) -> Light:
        """Return linear light of the camera's codes, 0..255; 1 where they end."""
        return linear(codes, self.camera)


def linear(codes: Light, gamma: float) -> Light:
    """Return codes 0..255 as linear light 0..1."""
    return np.asarray((codes / np.float32(255)) ** np.float32(gamma), np.float32)


def find_gamma(view: View, geometry: ScreenGeometry) -> GammaFinding:
    """Show dithered patterns and a ramp.

    Raises:
        DeviceError: if brighter pictures do not look brighter.
    """
    middle = inner(geometry, _INSET)

    def seen(pattern: Image) -> Light:
        view.show(pattern)
        return view.mean(FRAMES)[middle]

    camera, camera_sd = GAMMA, np.inf
    if view.exact:
        shares = np.array([white / side**2 for side, white in DITHERS])
        camera, camera_sd = fit_camera(shares, [seen(dithered(*cell, view.side_px)) for cell in DITHERS])
    told = camera_sd < _SURE
    if not told:
        camera = GAMMA
    ramp = [seen(np.full((view.side_px, view.side_px, 3), code, np.uint8)) for code in RAMP]
    codes = np.array([float(np.mean(linear(one, camera))) ** (1 / camera) for one in ramp])
    if codes[-1] - codes[0] < 0.1 or (np.diff(codes) < -0.03).any():
        raise DeviceError(
            "camera: brighter pictures do not look brighter; lock exposure, gain and white balance, and turn off the "
            "monitor's dynamic contrast and what makes it flicker"
        )
    (screen, black, white), (screen_sd, black_sd, _) = fit_screen(np.array(RAMP) / 255, codes, camera)
    model = seen_codes(np.array(RAMP) / 255, screen, black, white, camera)
    # Both curves bend together: an error of the camera's is one of the screen's.
    screen_sd = float(np.hypot(screen_sd, camera_sd / camera * screen)) if told else screen_sd
    return GammaFinding(
        title="Gamma",
        said=f"{len(DITHERS)} patterns of black and white pixels gave the camera's curve, {len(RAMP)} greys the "
        "screen's."
        if told
        else f"{len(RAMP)} greys gave the curve from the screen's codes to the camera's; the camera's own was taken "
        f"for the usual {GAMMA:g}.",
        measures=(
            Measure(
                name="gamma of the screen",
                value=screen,
                uncertainty=screen_sd,
                low=1.8,
                high=2.6,
                mend="set the monitor to sRGB or gamma 2.2, and turn off HDR, dynamic contrast and night colours",
            ),
            Measure(
                name="gamma of the camera",
                value=camera if told else None,
                uncertainty=camera_sd if told else None,
                mend="the camera resolves each pixel of the screen, or the screen does not say how many its picture "
                f"has; {GAMMA:g} is taken",
            ),
            Measure(
                name="gamma of both, screen's code to camera's",
                value=screen / camera,
                uncertainty=float(screen_sd / camera),
            ),
            Measure(
                name="contrast, white to black",
                value=min(1e4, 1 / max(black, 1e-4)),
                uncertainty=None if black <= 1e-4 else float(black_sd / black**2),
                low=30,
                mend="darken the room, take reflections off the screen, lower the camera's black level",
            ),
            Measure(
                name="code of white",
                value=255 * float(codes[-1]),
                low=160,
                mend="raise the exposure until white is just below the end of the range",
            ),
            Measure(
                name=f"codes from {RAMP[-2]} shown to white",
                value=255 * float(codes[-1] - codes[-2]),
                low=4,
                mend="white is at the end of the camera's range; lower the exposure",
            ),
            Measure(
                name="ramp about its curve",
                value=255 * float(np.sqrt(np.mean((codes - model) ** 2))),
                unit="codes",
                high=3.0,
                mend="the curve is no power: turn off the camera's and the monitor's picture processing",
            ),
        ),
        charts=(
            Chart(
                "The grey ramp.",
                "code shown",
                "code seen",
                (
                    Line("measured", list(zip(map(float, RAMP), (255 * codes).tolist(), strict=True)), dots=True),
                    Line("fitted", list(zip(map(float, RAMP), (255 * model).tolist(), strict=True))),
                ),
            ),
        ),
        camera=camera,
        screen=screen,
        black=black,
    )


def fit_camera(shares: NDArray[np.float64], seen: list[Light]) -> tuple[float, float]:
    """Return the camera's gamma and its standard deviation.

    Args:
        shares: of white pixels in each pattern.
        seen: codes of each, 0..255.
    """
    shown = [np.asarray(one, np.float64) / 255 for one in seen]  # single precision has no slopes to follow
    weights = _faded(seen[0].shape)

    def residuals(values: NDArray[np.float64]) -> NDArray[np.float64]:
        gamma, dark, white = values
        mean = np.array([float(np.sum(weights * one**gamma)) for one in shown])
        model = white * (dark**2 + (1 - dark**2) * shares) ** (1 / gamma)
        return np.asarray(mean ** (1 / gamma) - model, np.float64)

    start = [GAMMA, 0.05, float(shown[-1].mean())]
    values, spread = fitted(residuals, start, ([_GAMMAS[0], -1.0, 1e-3], [_GAMMAS[1], 1.0, 2.0]), noise=_NOISE)
    return float(values[0]), float(spread[0])


def _faded(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return weights of pixels, (h, w, 1), that add up to 1 over a picture of so many channels and fade to its sides.

    Cells that are cut at a side would give the pattern another share of white than it has, of which a camera that
    resolves each pixel, and so says nothing of its gamma, got one (3.88, with an uncertainty of 0.03).
    """
    height, width, channels = shape
    down, across = (np.hanning(side + 2)[1:-1] for side in (height, width))
    weights = np.outer(down, across)[..., None]
    return np.asarray(weights / (channels * weights.sum()), np.float64)


def fit_screen(
    shown: NDArray[np.float64], codes: NDArray[np.float64], camera: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the screen's gamma, black's light as a share of white's, and white's code as (3,), and their deviations.

    Args:
        shown: codes on the screen, 0..1.
        codes: that the camera saw, 0..1.
        camera: its gamma.
    """

    # Black's light is fitted as a square, and so never below none.
    def residuals(values: NDArray[np.float64]) -> NDArray[np.float64]:
        screen, dark, white = values
        return seen_codes(shown, screen, dark**2, white, camera) - codes

    start = [GAMMA, 0.05, float(codes[-1])]
    (screen, dark, white), spread = fitted(
        residuals, start, ([_GAMMAS[0], -1.0, 1e-3], [2 * _GAMMAS[1], 1.0, 2.0]), noise=_NOISE
    )
    return np.array([screen, dark**2, white]), spread * np.array([1, 2 * abs(dark), 1])


def seen_codes(
    shown: NDArray[np.float64], screen: float, black: float, white: float, camera: float
) -> NDArray[np.float64]:
    """Return the codes, 0..1, that a camera sees of codes that a screen shows; `white` is its code of white."""
    light = black + (1 - black) * np.asarray(shown, np.float64) ** screen
    return np.asarray(white * light ** (1 / camera), np.float64)


def dithered(side: int, white: int, picture_px: int) -> Image:
    """Return a picture of cells of side × side pixels, so many of each white, spread as evenly as they can be."""
    order = {2: (0, 3, 1, 2), 3: (0, 5, 7, 2, 4, 6, 1, 3, 8)}[side]
    cell = np.zeros(side * side, np.uint8)
    cell[list(order[:white])] = 255
    times = -(-picture_px // side)
    tiled = np.tile(cell.reshape(side, side), (times, times))[:picture_px, :picture_px]
    return np.dstack([tiled] * 3)
