"""Calibrate a rig: all measurements in their order, each standing on those before it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np

from capture.calibration.colour import find_colour
from capture.calibration.finding import Finding
from capture.calibration.focus import find_focus
from capture.calibration.gamma import find_gamma
from capture.calibration.geometry import find_geometry
from capture.calibration.moire import find_moire
from capture.calibration.sight import look
from capture.calibration.timing import find_timing
from capture.calibration.view import View, dry_at_home
from capture.calibration.vignetting import find_vignetting
from rigs.calibration import CalibrationSettings, Measure
from rigs.rig import RigSettings

STEPS = ("black and white", "timing", "geometry", "gamma", "vignetting", "colour", "focus", "moiré")

_NEUTRAL = 118


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """A calibration with what the page shows of it."""

    calibration: CalibrationSettings
    findings: tuple[Finding, ...]

    @property
    def advice(self) -> list[str]:
        """A line for each figure that is out of its bounds."""
        return [one.advice for one in self.calibration.measures if one.advice]


def calibrate(
    settings: RigSettings,
    *,
    seed: int = 0,
    valid_days: int = 30,
    moved_px: float = 1.0,
    progress: Callable[[str], None] | None = None,
) -> Calibrated:
    """Open a rig, dry its plate, carry it home, and measure; nothing is written.

    Args:
        settings: of the rig.
        seed: of the moments of flashes and of random colours.
        valid_days: how long the result may be trusted.
        moved_px: how far markers may be off before a session.
        progress: called with the name of each step as it begins.

    Raises:
        DeviceError: if the screen cannot be measured; one line says why.
        ConfigError: if the rig's file is wrong.
    """
    say = progress or (lambda _: None)
    chance = np.random.default_rng(seed)
    with settings.open(calibrated=False) as rig, dry_at_home(rig):
        view = View(rig, settings.screen)
        say(STEPS[0])
        sight = look(view)
        say(STEPS[1])
        timing = find_timing(view, sight, chance)
        view.wait_s = max(rig.settle_s, 1.2 * timing.settle_s)
        say(STEPS[2])
        geometry = find_geometry(view, sight)
        where = geometry.geometry
        say(STEPS[3])
        gamma = find_gamma(view, where)
        say(STEPS[4])
        field = find_vignetting(view, where, gamma)
        say(STEPS[5])
        colour = find_colour(view, where, gamma, field, chance)
        say(STEPS[6])
        focus = find_focus(view, where, gamma)
        say(STEPS[7])
        moire = find_moire(view, where, gamma)
        view.level(_NEUTRAL)
        height, width = view.frame_size
    findings: tuple[Finding, ...] = (geometry, timing, gamma, field, colour, focus, moire)
    measures: list[Measure] = [measure for finding in findings for measure in finding.measures]
    return Calibrated(
        CalibrationSettings(
            created=datetime.now(UTC).replace(microsecond=0),
            natadv_version=version("natadv"),
            rig=settings.name,
            devices=settings.measured_devices,
            frame_height_px=height,
            frame_width_px=width,
            valid_days=valid_days,
            moved_px=moved_px,
            corners_px=where.corners_px,
            lens=where.lens.settings if where.lens else None,
            colour_matrix=tuple((row[0], row[1], row[2], row[3]) for row in colour.matrix.tolist()),
            measures=tuple(measures),
        ),
        findings,
    )
