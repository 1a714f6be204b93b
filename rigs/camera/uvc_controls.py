"""The controls of a USB camera (UVC), by their numbers in Linux's V4L2 interface, locked and read back.

The numbers are of linux/v4l2-controls.h; the names that drivers give them have changed between kernels.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from natadv.errors import SettingError
from rigs.camera.real import check_number, check_same
from rigs.vendor import first_line

Controls = Mapping[Any, Any]

_USER, _CAMERA = 0x00980900, 0x009A0900
AUTO_WHITE_BALANCE: Final = _USER + 12
AUTOGAIN: Final = _USER + 18
GAIN: Final = _USER + 19
WHITE_BALANCE_K: Final = _USER + 26
EXPOSURE_AUTO: Final = _CAMERA + 1
EXPOSURE_100_US: Final = _CAMERA + 2
EXPOSURE_AUTO_PRIORITY: Final = _CAMERA + 3
FOCUS: Final = _CAMERA + 10
FOCUS_AUTO: Final = _CAMERA + 12

MANUAL: Final = 1  # of EXPOSURE_AUTO; 3, aperture priority, is what cameras wake up with

_AUTOS: Final = {
    EXPOSURE_AUTO: ("automatic exposure", MANUAL),
    EXPOSURE_AUTO_PRIORITY: ("a frame rate that gives way to exposure", 0),
    AUTOGAIN: ("automatic gain", 0),
    AUTO_WHITE_BALANCE: ("automatic white balance", 0),
    FOCUS_AUTO: ("automatic focus", 0),
}


def lock_controls(device: str, look: Callable[[], Controls], wanted: Mapping[int, tuple[str, int]]) -> None:
    """Put automatics off where there are any, write controls, and read all of them back.

    Args:
        device: begins every error.
        look: gives the controls as they are now, by number, each with a `value`; what may be written depends on
            which automatics are on.
        wanted: number to (name in the rig's file, value).

    Raises:
        SettingError: if a control is missing, or has another value than was written.
    """
    controls = look()
    there = [number for number in _AUTOS if number in controls]
    for number in there:
        name, value = _AUTOS[number]
        if _read(device, controls[number], name) != value:
            _write(device, controls[number], name, value)
    controls = look()
    for number, (name, value) in wanted.items():
        if number not in controls:
            raise SettingError(f"{device}: has no {name}; leave that setting out")
        _write(device, controls[number], name, value)
    # Not before all are written: one may change another.
    for number in there:
        name, value = _AUTOS[number]
        check_same(device, name, value, _read(device, controls[number], name))
    for number, (name, value) in wanted.items():
        got = _read(device, controls[number], name)
        if name == "exposure_s":
            check_number(device, name, value * 1e-4, got * 1e-4)
        else:
            check_same(device, name, value, got)


def read_exposure_s(device: str, controls: Controls) -> float:
    """Return the exposure time; 0 if the camera does not tell."""
    if EXPOSURE_100_US not in controls:
        return 0.0
    return _read(device, controls[EXPOSURE_100_US], "exposure_s") * 1e-4


def _write(device: str, control: Any, name: str, value: int) -> None:
    try:
        control.value = value
    except (OSError, ValueError, AttributeError) as error:  # the last is linuxpy's for one that is read-only
        raise SettingError(
            f"{device}: {name} {value} refused ({first_line(error)}); v4l2-ctl --list-ctrls shows what it takes"
        ) from error


def _read(device: str, control: Any, name: str) -> int:
    try:
        return int(control.value)
    except (OSError, ValueError, TypeError) as error:
        raise SettingError(f"{device}: {name} cannot be read back ({first_line(error)})") from error
