"""GenICam features by their standard names (SFNC), locked and read back; `basler` and `genicam` share them.

Older GigE cameras have other names for some (ExposureTimeAbs); each is looked for in turn.
"""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from natadv.errors import SettingError
from rigs.camera.real import RealCameraSettings, check_number, check_same
from rigs.vendor import first_line

EXPOSURE_US: Final = ("ExposureTime", "ExposureTimeAbs")
GAIN: Final = ("Gain",)
RATE: Final = ("AcquisitionFrameRate", "AcquisitionFrameRateAbs")
RESULTING_RATE: Final = ("ResultingFrameRate", "ResultingFrameRateAbs")
RATE_ENABLE: Final = ("AcquisitionFrameRateEnable", "AcquisitionFrameRateEnabled")
AUTOS: Final = ("ExposureAuto", "GainAuto", "BalanceWhiteAuto", "GammaAuto", "TargetBrightnessAuto")


class GenicamSettings(RealCameraSettings):
    """What the settings of GenICam cameras have in common.

    Attributes:
        pixel_format: as the camera calls it; one of rigs/camera/pixels.py.
        exposure_s: a multiple of the screen's refresh period; without one the camera keeps its own, automatics off.
        gain: in the camera's unit, mostly dB; without one the camera keeps its own.
        white_balance: ratio by colour, as {Red: 1.6, Blue: 2.1}; empty leaves the camera's own.
        features: any others, by name, written after the rest.
    """

    pixel_format: str = "BayerRG8"
    exposure_s: float | None = None
    gain: float | None = None
    white_balance: Mapping[str, float] = {}
    features: Mapping[str, bool | int | float | str] = {}


class Features(Protocol):
    """A camera's features, by name."""

    def has(self, name: str) -> bool:
        """Return whether it can be read."""
        ...

    def get(self, name: str) -> Any:
        """Return its value."""
        ...

    def set(self, name: str, value: Any) -> None:
        """Write it; raises the vendor's error if it cannot be."""
        ...


class Locked:
    """Writes features, and reads each back."""

    def __init__(self, device: str, features: Features, errors: tuple[type[Exception], ...]) -> None:
        """Begin.

        Args:
            device: begins every error.
            features: the camera's.
            errors: what the vendor's library raises.
        """
        self._device, self._features, self._errors = device, features, errors
        self._refusals: tuple[type[Exception], ...] = (*errors, TypeError)

    def lock(self, settings: GenicamSettings) -> float:
        """Put a camera's automatics off, write its settings, and return the rate that it says it will keep.

        Raises:
            SettingError: if it lacks what was asked for, or reports another value.
        """
        self._put("AcquisitionMode", "Continuous", needed=False)
        self._put("TriggerSelector", "FrameStart", needed=False)
        self._put("TriggerMode", "Off", needed=False)
        for name in AUTOS:
            self._put(name, "Off", needed=False)
        self._put("PixelFormat", settings.pixel_format)
        # Offsets first, or a wider frame would reach over the sensor's edge.
        self._put("OffsetX", 0, needed=False)
        self._put("OffsetY", 0, needed=False)
        self._put("Width", settings.width_px)
        self._put("Height", settings.height_px)
        if settings.exposure_s is not None:
            self._put(self._first(EXPOSURE_US), 1e6 * settings.exposure_s)
        if settings.gain is not None:
            self._put(self._first(GAIN), settings.gain)
        for colour, ratio in settings.white_balance.items():
            self._put("BalanceRatioSelector", colour)
            self._put("BalanceRatio", ratio)
        for name in RATE_ENABLE:
            self._put(name, True, needed=False)
        self._put(self._first(RATE), settings.fps)
        for name, value in settings.features.items():
            self._put(name, value)
        return self._rate(settings.fps)

    def exposure_s(self) -> float:
        """Return the exposure time that the camera has; 0 if it does not tell."""
        for name in EXPOSURE_US:
            if self._features.has(name):
                return float(self._get(name)) / 1e6
        return 0.0

    def _rate(self, asked: float) -> float:
        """Return the rate that results from all settings, such as a long exposure."""
        name = next((name for name in (*RESULTING_RATE, *RATE) if self._features.has(name)), None)
        if name is None:
            return asked
        got = float(self._get(name))
        check_number(self._device, f"fps (by {name})", asked, got)
        return got

    def _first(self, names: tuple[str, ...]) -> str:
        for name in names:
            if self._features.has(name):
                return name
        raise SettingError(f"{self._device}: has no {' or '.join(names)}; leave that setting out")

    def _put(self, name: str, value: bool | int | float | str, *, needed: bool = True) -> None:
        """Write a feature and read it back; one that the camera lacks matters only if it was asked for."""
        if not self._features.has(name):
            if needed:
                raise SettingError(f"{self._device}: has no {name}; leave that setting out")
            return
        got = self._get(name)
        if got == value:
            return  # what cannot be changed may still be right
        try:
            self._features.set(name, value)
        except self._refusals as error:
            raise SettingError(
                f"{self._device}: {name} {value} asked, {got} got ({first_line(error)}); set what the camera can do"
            ) from error
        got = self._get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and isinstance(got, float):
            check_number(self._device, name, float(value), got)
        else:
            check_same(self._device, name, value, got)

    def _get(self, name: str) -> Any:
        try:
            return self._features.get(name)
        except self._errors as error:
            raise SettingError(f"{self._device}: {name} cannot be read ({first_line(error)})") from error
