"""Timing: how long from a call to the light in a frame, by flashes at random moments; and how steady the light is.

A flash that the frame at t₁ does not show and the next, at t₂, does, came between the two. As the flashes are at random
moments of the camera's period, the mean of the middles has no bias, and an uncertainty far below a frame's period.
Where the screen says when it flipped, the part of the latency that is the program's is told from the devices'.
Flicker is what the brightness of rows does in common in the even and the odd columns of a picture that stands still:
the sensor's noise they have not in common. Rows, as a rolling shutter turns flicker into bands that wander.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from capture.calibration.finding import Chart, Finding, Line
from capture.calibration.sight import Sight
from capture.calibration.view import View, flat
from natadv.errors import DeviceError
from rigs.calibration import Measure
from rigs.screen.base import Flips

FLASHES = 24
FLICKER_FRAMES = 90

_GIVE_UP_S = 3.0
_REST_S = 0.1
_GREY = 186  # half of white's light
_BANDS = 24
_STEADY = 1.0  # % rms
_WIDE = 1.5  # periods


@dataclass(frozen=True, slots=True)
class Flash:
    """One change of the screen; times by the rig's clock.

    Attributes:
        code: what it changed to.
        called_s: when it was asked for.
        before_s: the last frame without it.
        after_s: the first with it.
        flipped_s: when the screen says that it flipped; None where it does not.
    """

    code: int
    called_s: float
    before_s: float
    after_s: float
    flipped_s: float | None

    @property
    def middle_s(self) -> float:
        """Between the two frames, after the call."""
        return (self.before_s + self.after_s) / 2 - self.called_s

    @property
    def width_s(self) -> float:
        """From the one frame to the other: within that it is not known."""
        return self.after_s - self.before_s


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimingFinding(Finding):
    """How long a picture takes.

    Attributes:
        latency_s: from the call to the light.
        settle_s: by when it has surely changed.
        flashes: what they were measured by.
    """

    latency_s: float
    settle_s: float
    flashes: tuple[Flash, ...]


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
    flashes = tuple(_flash(view, sight, 255 * (1 - n % 2), phase * period_s) for n, phase in enumerate(phases))
    sharp = _sharp(flashes, period_s)
    middles = np.array([flash.middle_s for flash in sharp])
    width2 = np.mean([flash.width_s**2 for flash in sharp]) / 12
    latency_s = float(middles.mean())
    jitter_s = float(np.sqrt(max(0.0, middles.var(ddof=1) - width2)))
    settle_s = max(flash.after_s - flash.called_s for flash in flashes)
    flips_s = [flash.flipped_s - flash.called_s for flash in flashes if flash.flipped_s is not None]
    flipping = (
        (Measure(name="call to flip, by the screen's own clock", value=1e3 * float(np.mean(flips_s)), unit="ms"),)
        if len(flips_s) == len(flashes)
        else ()
    )
    spare_s = view.rig.settle_s - settle_s
    flicker, beat_hz, series = _flicker(view, sight)
    beat = (Measure(name="flicker's beat", value=beat_hz, unit="Hz"),) if 100 * flicker > _STEADY else ()
    return TimingFinding(
        title="Timing",
        said=f"{FLASHES} flashes at random moments, black to white and back, of which those between two frames in a "
        f"row count ({len(sharp)}); then {FLICKER_FRAMES} frames of a grey.",
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
            *flipping,
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
        flashes=flashes,
    )


def _sharp(flashes: Sequence[Flash], period_s: float) -> Sequence[Flash]:
    """Return those between two frames in a row, where they are enough: a lost frame leaves much room."""
    sharp = [flash for flash in flashes if flash.width_s <= _WIDE * period_s]
    return sharp if len(sharp) >= len(flashes) / 2 else flashes


def _flash(view: View, sight: Sight, code: int, pause_s: float) -> Flash:
    """Rest and so much longer, then change the screen's level, and look which frames do not show that and which do."""
    rig, half = view.rig, 0.5 * (sight.black + sight.white)[sight.lit].mean()
    rig.clock.sleep(_REST_S + pause_s)
    begin_s = rig.clock.now_s()
    last_s: float | None = None
    rig.screen.show(flat(code, view.side_px))
    flipped_s = rig.screen.flipped_s if isinstance(rig.screen, Flips) else None
    while True:
        frame = rig.camera.read()
        if (frame.image[sight.lit].mean() > half) == (code > 0):
            # A camera that forgot the frame before has taken it a period earlier all the same, and not shown it to us
            # with light that came after; taking the call in its place would make latencies too long.
            before_s = min(begin_s, frame.timestamp_s - 1 / rig.camera.info.fps) if last_s is None else last_s
            return Flash(code, begin_s, before_s, frame.timestamp_s, flipped_s)
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
