"""A rig's calibration: what was measured of it, and the file that keeps it beside the rig's own.

`natadv rig calibrate` writes it, whole or not at all; whoever opens the rig reads where the picture lies from it. Its
last line is the digest of all lines before: what a person or a dying disk changed is not taken for a measurement.
"""

import hashlib
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml
from pydantic import AwareDatetime, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from natadv.durable import replace_file
from natadv.errors import ConfigError
from rigs.camera.address import public
from rigs.geometry import Point, ScreenGeometry
from rigs.lens import LensSettings
from rigs.settings import Settings, parse_settings

_DIGEST = "sha256: "
_HEAD = "# Written by `natadv rig calibrate`, which makes it anew; not to be edited.\n"


class Measure(Settings):
    """One figure of a calibration.

    Attributes:
        name: what was measured.
        value: of it; None where this rig cannot show it.
        unit: of value, uncertainty and bounds; empty for a pure number.
        uncertainty: one standard deviation; None where it is not known.
        low: the least that is good; None for no such bound.
        high: the most that is good.
        mend: what to do where it is out of bounds, or cannot be told.
    """

    name: str
    value: float | None
    unit: str = ""
    uncertainty: NonNegativeFloat | None = None
    low: float | None = None
    high: float | None = None
    mend: str = ""

    @property
    def good(self) -> bool:
        """Whether it is known and within its bounds."""
        if self.value is None:
            return False
        return (self.low is None or self.value >= self.low) and (self.high is None or self.value <= self.high)

    @property
    def bounds(self) -> str:
        """Its bounds in words; empty where it has none."""
        unit = f" {self.unit}" if self.unit else ""
        if self.low is not None and self.high is not None:
            return f"{self.low:g} to {self.high:g}{unit}"
        if self.low is not None:
            return f"at least {self.low:g}{unit}"
        return f"at most {self.high:g}{unit}" if self.high is not None else ""

    @property
    def advice(self) -> str:
        """One line where it is not good; empty where it is."""
        if self.good:
            return ""
        if self.value is None:
            return f"{self.name}: cannot be told; {self.mend}"
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.name} is {self.value:.3g}{unit}, good is {self.bounds}; {self.mend}"


class CalibrationSettings(Settings):
    """What stands in the file.

    Attributes:
        created: when it was measured.
        devices: camera and screen as the rig's file described them.
        frame_height_px: of the frames it was measured in.
        frame_width_px: of them.
        valid_days: how long it may be trusted.
        moved_px: how far markers may be off before a session, largest of four.
        corners_px: as in ScreenGeometry.
        lens: None for one that distorts nothing.
        colour_matrix: from the screen's linear red, green, blue and 1 to the camera's; white is 1 in both.
        measures: all figures.
    """

    format: Literal["natadv-calibration/1"] = "natadv-calibration/1"
    created: AwareDatetime
    natadv_version: str
    rig: str
    devices: dict[str, dict[str, Any]]
    frame_height_px: PositiveInt
    frame_width_px: PositiveInt
    valid_days: NonNegativeInt = 30
    moved_px: PositiveFloat = 1.0
    corners_px: tuple[Point, Point, Point, Point]
    lens: LensSettings | None = None
    colour_matrix: tuple[tuple[float, float, float, float], ...] = ()
    measures: tuple[Measure, ...] = ()

    @property
    def geometry(self) -> ScreenGeometry:
        """Where the shown picture lies in the camera's frames."""
        return ScreenGeometry(self.corners_px, self.lens.lens if self.lens else None)

    def age(self, now: datetime | None = None) -> timedelta:
        """Return how old it is."""
        return (now or datetime.now(UTC)) - self.created

    def stale(self, now: datetime | None = None) -> str:
        """Return in words that it is older than may be trusted; empty where it is not."""
        days = self.age(now) / timedelta(days=1)
        if 0 <= days <= self.valid_days:
            return ""
        if days < 0:
            return f"calibrated {-days:.1f} days in the future; set this machine's clock"
        return f"calibrated {days:.0f} days ago, good for {self.valid_days}; natadv rig calibrate makes it anew"

    def measure(self, name: str) -> Measure:
        """Return the figure of that name.

        Raises:
            KeyError: if there is none.
        """
        for one in self.measures:
            if one.name == name:
                return one
        raise KeyError(name)


class Place(NamedTuple):
    """A device's setting that differs: where, what was measured with, what is there now."""

    name: str
    then: object
    now: object


def write_calibration(path: Path, calibration: CalibrationSettings) -> None:
    """Write the file whole, over an older one.

    Raises:
        DataError, ResourceError: if it cannot be written.
    """
    body = yaml.safe_dump(calibration.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110)
    text = _HEAD + body
    replace_file(path, f"{text}{_DIGEST}{_digest(text)}\n".encode())


def load_calibration(path: Path, rig: str) -> CalibrationSettings:
    """Read the file.

    Args:
        path: of it.
        rig: the rig's file, for the advice.

    Raises:
        ConfigError: if it is missing, torn, edited, or no calibration.
    """
    again = f"natadv rig calibrate {rig}"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{rig}: not calibrated yet ({path} is not there): {again}") from error
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read ({why}); make it anew: {again}") from error
    body, found, digest = text.rpartition(_DIGEST)
    if not found or digest.strip() != _digest(body):
        raise ConfigError(f"{path}: torn, edited, or no calibration; make it anew: {again}")
    try:
        calibration = parse_settings(body, CalibrationSettings, where=str(path))
        calibration.geometry  # noqa: B018  # its corners and lens may make none
    except ConfigError as error:
        raise ConfigError(f"{error}; make it anew: {again}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: {error}; make it anew: {again}") from error
    return calibration


def differs(then: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> Place | None:
    """Return the first setting of a device that is not what it was; one that is new since then does not count."""
    for device, settings in then.items():
        for key, value in settings.items():
            here = now.get(device, {}).get(key)
            if not _alike(value, here):
                return Place(f"{device}.{key}", _shown(value), _shown(here))
    return None


def _alike(one: object, other: object) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return all(_alike(value, other.get(key)) for key, value in one.items())
    if isinstance(one, float) and isinstance(other, (int, float)):
        return math.isclose(one, other, rel_tol=1e-9)
    return _shown(one) == _shown(other)


def _shown(value: object) -> object:
    # Calibrations of former versions have a camera's address with its password.
    if isinstance(value, dict):
        return {key: _shown(entry) for key, entry in value.items()}
    return public(value) if isinstance(value, str) else value


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
