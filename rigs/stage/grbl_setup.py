"""What a GRBL controller is and how it is set up, compared with what the rig's file says; a mismatch is an error."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, PrivateAttr, model_validator

from natadv.errors import ConnectError, SettingError
from rigs.operator import Operator
from rigs.stage.base import StageSettings
from rigs.stage.grbl_axes import LETTERS, Axes, Axis, StraightAxis, TurningAxis
from rigs.stage.grbl_home import Left, asked_home, kept_home
from rigs.stage.grbl_link import GrblLink
from rigs.stage.grbl_words import read_setting, read_welcome
from rigs.stage.profile import Limits

_MPOS, _SOFT, _HOMING, _DIRECTIONS = 10, 20, 22, 23
_RATE, _ACCELERATION, _TRAVEL = 110, 120, 130
_ALIKE = 0.01
_SLACK_MM = 1e-6
_ORIGIN_BIT = 8


class GrblSettings(StageSettings):
    """Two straight axes and a rotation on a controller with GRBL 1.1 or grblHAL.

    Attributes:
        port: path, best one of /dev/serial/by-id, or a URL as socket://HOST:PORT; $NAME is taken from the environment.
        homing: `required`: the stage homes when it is opened, and goes to the plate's home; `skip`: it has no switches,
            and a person is asked to put the plate at home; see grbl_home.py.
        x_axis: the machine's axis along which the plate goes to the right as the camera sees it.
        y_axis: the same, downwards.
        angle_axis: the same, clockwise; GRBL has Z for it, grblHAL also A.
        units_per_degree: the machine's units for one degree; 1 where `$102` is in steps a degree.
        home: machine position (x, y, angle) where the plate is at home; the middle of the travel if left out.
        speed_mm_per_s: highest speed of a straight axis.
        acceleration_mm_per_s2: as the controller has it.
        speed_deg_per_s: highest speed of the rotation.
        acceleration_deg_per_s2: as the controller has it.
        boot_s: within that it must greet.
        homing_s: within that it must be home.
        silence_s: a controller that says nothing for so long has failed, and is stopped.
        pose_within_mm: where a frame's pose may be more wrong than this, the frame has none.
        pose_within_deg: or its angle more than this.
    """

    port: str
    baud: PositiveInt = 115200
    homing: Literal["required", "skip"] = "required"
    x_axis: StraightAxis = "X"
    y_axis: StraightAxis = "Y"
    angle_axis: TurningAxis = "Z"
    units_per_degree: PositiveFloat = 1.0
    home: tuple[float, float, float] | None = None
    speed_mm_per_s: PositiveFloat = 60.0
    acceleration_mm_per_s2: PositiveFloat = 400.0
    speed_deg_per_s: PositiveFloat = 120.0
    acceleration_deg_per_s2: PositiveFloat = 900.0
    boot_s: PositiveFloat = 5.0
    homing_s: PositiveFloat = 90.0
    silence_s: PositiveFloat = 2.0
    pose_within_mm: NonNegativeFloat = 0.2
    pose_within_deg: NonNegativeFloat = 0.2
    _left: Left | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _has_two_axes(self) -> "GrblSettings":
        if self.x_axis[-1] == self.y_axis[-1]:
            raise ValueError(f"x_axis and y_axis are both {self.x_axis[-1]}; expected X and Y")
        return self

    @property
    def where(self) -> str:
        """The stage, as errors name it."""
        return f"stage: {self.port}"

    @property
    def asks_to_open(self) -> bool:
        """Whether a person may have to put the plate at home."""
        return self.homing == "skip"

    @property
    def stops_at_poses(self) -> bool:
        """It does: see docs/decisions/0011."""
        return True

    @property
    def left(self) -> Left | None:
        """How this process left the stage when it was opened last; None where that is not known."""
        return self._left

    def leave(self, left: Left | None) -> None:
        """Note how the stage is left."""
        self._left = left

    @property
    def limits(self) -> Limits:
        """Its speeds and accelerations."""
        return Limits(
            self.speed_mm_per_s, self.acceleration_mm_per_s2, self.speed_deg_per_s, self.acceleration_deg_per_s2
        )

    @property
    def brake_s(self) -> float:
        """How long it takes at most to come to rest, with a margin for the controller's own time."""
        straight_s = self.speed_mm_per_s / self.acceleration_mm_per_s2
        return max(straight_s, self.speed_deg_per_s / self.acceleration_deg_per_s2) + 0.3


@dataclass(frozen=True, slots=True)
class Controller:
    """What was found.

    Attributes:
        firmware: as it greets.
        axes: the plate's axes on it.
        mist: whether it has the output M7.
    """

    firmware: str
    axes: Axes
    mist: bool


def set_up(link: GrblLink, settings: GrblSettings, operator: Operator) -> Controller:
    """Identify a controller that has greeted, compare its settings, and find its home: by homing, if it is to be.

    Raises:
        ConnectError: if it is not GRBL 1.1 or later.
        SettingError: if a setting is not as the rig's file needs it, with the command that mends it.
        DeviceError: if it does not answer, homing fails, or nobody says that the plate is at home.
    """
    where = settings.where
    welcome = read_welcome(link.welcome)
    if welcome is None or welcome[1:] < (1, 1):
        raise ConnectError(f"{where}: greets as {link.welcome!r}; expected GRBL 1.1 or later")
    info = link.command("$I").said
    found = dict(entry for line in link.command("$$").said if (entry := read_setting(line)) is not None)
    _check_general(where, found, settings)
    letters = (settings.x_axis[-1], settings.y_axis[-1], settings.angle_axis[-1])
    for letter in letters:
        if _RATE + LETTERS.index(letter) not in found:
            raise SettingError(f"{where}: {welcome[0]} has no axis {letter}; change the stage's axes in the rig's file")
    _check_motion(where, found, settings)
    link.axes = sum(_RATE + number in found for number in range(len(LETTERS)))
    if settings.homing == "required":
        link.command("$H", settings.homing_s)
        if link.report().machine is None:
            raise SettingError(f"{where}: does not report its machine position; send $10=1")
        x, y, angle = (sum(_span(letter, found, info)) / 2 for letter in letters)
        home = settings.home or (x, y, angle)
    else:
        numbers = [LETTERS.index(letter) for letter in letters]
        kept = kept_home(link, where, numbers, settings.left)
        if kept is None:
            settings.leave(None)  # who is asked may move it, whatever is answered
        home = kept or asked_home(link, where, numbers, operator)
    scale = settings.units_per_degree
    axes = Axes(
        Axis.named(settings.x_axis, 1.0, home[0]),
        Axis.named(settings.y_axis, 1.0, home[1]),
        Axis.named(settings.angle_axis, scale, home[2]),
    )
    if settings.homing == "required":
        _check_travel(settings, axes, found, info)
    return Controller(f"{welcome[0]} {welcome[1]}.{welcome[2]}", axes, "M" in _options(info))


def _check_general(where: str, found: Mapping[int, float], settings: GrblSettings) -> None:
    homed = settings.homing == "required"
    wanted = {_MPOS: "$10=1, so that it reports its machine position", 13: "$13=0, so that it reports mm"}
    if not int(found.get(_MPOS, 0)) & 1:
        raise SettingError(f"{where}: send {wanted[_MPOS]}")
    if found.get(13, 0):
        raise SettingError(f"{where}: send {wanted[13]}")
    if homed and not int(found.get(_HOMING, 0)) & 1:
        raise SettingError(f"{where}: homing is required but off; send $22=1, or say `homing: skip` for the stage")
    if homed and not found.get(_SOFT, 0):
        raise SettingError(f"{where}: its soft limits are off; send $20=1")
    if not homed and found.get(_SOFT, 0):
        raise SettingError(f"{where}: soft limits mean nothing without homing; send $20=0, or say `homing: required`")


def _check_motion(where: str, found: Mapping[int, float], settings: GrblSettings) -> None:
    scale = settings.units_per_degree
    for name, unit, speed, acceleration in (
        (settings.x_axis, "mm", settings.speed_mm_per_s, settings.acceleration_mm_per_s2),
        (settings.y_axis, "mm", settings.speed_mm_per_s, settings.acceleration_mm_per_s2),
        (settings.angle_axis, "deg", settings.speed_deg_per_s * scale, settings.acceleration_deg_per_s2 * scale),
    ):
        number = LETTERS.index(name[-1])
        rate, has = found[_RATE + number] / 60, found[_ACCELERATION + number]
        if speed > rate * (1 + _ALIKE):
            raise SettingError(
                f"{where}: axis {name[-1]} goes at most {rate:g} a second, speed_{unit}_per_s needs {speed:g}; "
                f"lower it, or send ${_RATE + number}={speed * 60:g}"
            )
        if abs(has - acceleration) > _ALIKE * acceleration:
            raise SettingError(
                f"{where}: axis {name[-1]} has an acceleration of {has:g}, acceleration_{unit}_per_s2 needs "
                f"{acceleration:g}; say what is true, or send ${_ACCELERATION + number}={acceleration:g}"
            )


def _span(letter: str, found: Mapping[int, float], info: tuple[str, ...]) -> tuple[float, float]:
    """Return the ends of an axis after homing: below zero, unless GRBL is told to count from the switch."""
    number = LETTERS.index(letter)
    travel = found[_TRAVEL + number]
    from_switch = "Z" in _options(info) or int(found[_HOMING]) & _ORIGIN_BIT
    if from_switch and int(found.get(_DIRECTIONS, 0)) >> number & 1:
        return 0.0, travel
    return -travel, 0.0


def _options(info: tuple[str, ...]) -> str:
    """Return the letters of what it was built with."""
    return next((line.removeprefix("[OPT:").split(",")[0] for line in info if line.startswith("[OPT:")), "")


def _check_travel(settings: GrblSettings, axes: Axes, found: Mapping[int, float], info: tuple[str, ...]) -> None:
    for axis, reach in ((axes.x, settings.travel_mm), (axes.y, settings.travel_mm), (axes.angle, settings.travel_deg)):
        low, high = _span(axis.letter, found, info)
        half = reach * abs(axis.scale)
        if axis.home - half < low - _SLACK_MM or axis.home + half > high + _SLACK_MM:
            raise SettingError(
                f"{settings.where}: axis {axis.letter} goes from {low:g} to {high:g}; {half:g} to either side of home "
                f"at {axis.home:g} does not fit: shrink the stage's travel, move its home, or send "
                f"${_TRAVEL + axis.number}={2 * half:g} if it has the room"
            )
