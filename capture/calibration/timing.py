"""Timing: how long from a call to the light in a frame, by flashes at random moments; and how steady the light is.

A flash that the frame at t₁ does not show and the next, at t₂, does, came between the two. As the flashes are at random
moments of the camera's period, the mean of the middles has no bias, and an uncertainty far below a frame's period.
Flicker is what the brightness of rows does in common in the even and the odd columns of a picture that stands still:
the sensor's noise they have not in common. Rows, as a rolling shutter turns flicker into bands that wander.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capture.calibration.finding import Chart, Finding, Line
from capture.calibration.sight import Sight
from capture.calibration.view import View, flat
from natadv.errors import DeviceError
from rigs.calibration import Measure

FLASHES = 24
FLICKER_FRAMES = 90

_GIVE_UP_S = 3.0
_REST_S = 0.1
_GREY = 186  # half of white's light
_BANDS = 24
_STEADY = 1.0  # % rms


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimingFinding(Finding):
    """How long a picture takes.

    Attributes:
        latency_s: from the call to the light.
        settle_s: by when it has surely changed.
    """

    latency_s: float
    settle_s: float


def find_timing(view: View, sight: Sight, chance: np.random.Generator) -> TimingFinding:
    """Flash the screen, and watch a grey that stands still.

    Args:
        view: the rig.
        sight: what black and white look like.
        chance: when the flashes come.

    Raises:
        DeviceError: if a flash is not seen.
    """
    period_s = 1 / view.rig.camera.info.fps
    view.level(0)
    # One at random in each of so many parts of the period: as free of bias as at random in all of it, and surer.
    phases = (chance.permutation(FLASHES) + chance.random(FLASHES)) / FLASHES
    between = [_flash(view, sight, 255 * (1 - n % 2), phase * period_s) for n, phase in enumerate(phases)]
    middles = np.array([(before + after) / 2 for before, after in between])
    width2 = np.mean([(after - before) ** 2 for before, after in between]) / 12
    latency_s = float(middles.mean())
    jitter_s = float(np.sqrt(max(0.0, middles.var(ddof=1) - width2)))
    settle_s = max(after for _, after in between)
    spare_s = view.rig.settle_s - settle_s
    flicker, beat_hz, series = _flicker(view, sight)
    beat = (Measure(name="flicker's beat", value=beat_hz, unit="Hz"),) if 100 * flicker > _STEADY else ()
    return TimingFinding(
        title="Timing",
        said=f"{FLASHES} flashes at random moments, black to white and back; then {FLICKER_FRAMES} frames of a grey.",
        measures=(
            Measure(
                name="latency, screen to frame",
                value=1e3 * latency_s,
                unit="ms",
                uncertainty=1e3 * float(middles.std(ddof=1) / np.sqrt(len(middles))),
                low=0,
                high=250,
                mend="turn off the monitor's picture processing (game mode); see that frames are stamped by the rig's "
                "clock",
            ),
            Measure(name="its jitter", value=1e3 * jitter_s, unit="ms", high=50, mend="free the machine"),
            Measure(
                name="settle_s to spare",
                value=1e3 * spare_s,
                unit="ms",
                low=0,
                mend=f"write settle_s: {np.ceil(20 * 1.2 * settle_s) / 20:.2f} into the rig's file",
            ),
            Measure(
                name="flicker",
                value=100 * flicker,
                unit="% rms",
                high=_STEADY,
                mend="make the exposure a whole multiple of the screen's refresh period, and the screen as bright as "
                "it goes (dimmed ones are switched on and off)",
            ),
            *beat,
        ),
        charts=(
            Chart(
                "Each flash: the middle between the last frame without and the first with it.",
                "flash",
                "ms after the call",
                (Line("flashes", [(float(n), 1e3 * m) for n, m in enumerate(middles)], dots=True),),
            ),
            Chart(
                "Brightness of a grey that stands still.",
                "s",
                "% above the mean",
                (Line("mean of the picture", series),),
            ),
        ),
        latency_s=latency_s,
        settle_s=settle_s,
    )


def _flash(view: View, sight: Sight, code: int, pause_s: float) -> tuple[float, float]:
    """Return how long after the call the last frame without the new level was, and the first with it."""
    rig, half = view.rig, 0.5 * (sight.black + sight.white)[sight.lit].mean()
    rig.clock.sleep(_REST_S + pause_s)
    begin_s = rig.clock.now_s()
    last_s = begin_s
    rig.screen.show(flat(code, view.side_px))
    while True:
        frame = rig.camera.read()
        if (frame.image[sight.lit].mean() > half) == (code > 0):
            return last_s - begin_s, frame.timestamp_s - begin_s
        last_s = frame.timestamp_s
        if last_s > begin_s + _GIVE_UP_S:
            raise DeviceError(
                f"screen: {'white' if code else 'black'} was not seen {_GIVE_UP_S:g} s after it was shown; "
                "is it the screen that the camera looks at, does it still answer?"
            )


def _flicker(view: View, sight: Sight) -> tuple[float, float, list[tuple[float, float]]]:
    """Return the flicker as a share (rms), the frequency of its beat with the camera, and the brightness in time."""
    view.level(_GREY)
    rows, columns = np.flatnonzero(sight.lit.mean(1) > 0.2), np.flatnonzero(sight.lit.mean(0) > 0.2)
    rows, columns = rows[len(rows) // 6 : -len(rows) // 6], columns[len(columns) // 6 : -len(columns) // 6]
    even, odd = [], []
    for frame in view.frames(FLICKER_FRAMES):
        part = frame.image[rows[0] : rows[-1], columns[0] : columns[-1]].mean(-1)
        even.append(_bands(part[:, ::2]))
        odd.append(_bands(part[:, 1::2]))
    one, other = (np.array(series) / np.mean(series, 0) - 1 for series in (even, odd))
    flicker = float(np.sqrt(max(0.0, float((one * other).mean()))))
    whole = (one + other).mean(1) / 2
    spectrum = np.abs(np.fft.rfft(whole * np.hanning(len(whole))))
    beat_hz = (1 + int(spectrum[1:].argmax())) * view.rig.camera.info.fps / len(whole)
    return flicker, beat_hz, [(n / view.rig.camera.info.fps, 100 * float(v)) for n, v in enumerate(whole)]


def _bands(part: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([band.mean() for band in np.array_split(part, min(_BANDS, len(part)))])
