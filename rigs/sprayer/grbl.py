"""A sprayer on the coolant outputs of the stage's GRBL controller: M8 opens its valve, M9 shuts it."""

from typing import Literal

from pydantic import NonNegativeFloat, PositiveFloat, model_validator

from natadv.errors import ConfigError, DeviceError, SettingError
from rigs.clock import Clock
from rigs.operator import Operator
from rigs.room import Room
from rigs.sprayer.base import SprayerSettings
from rigs.stage.base import Stage
from rigs.stage.outputs import Output, Outputs


class GrblSprayerSettings(SprayerSettings):
    """A sprayer's block with `kind: grbl`; the stage must be one too.

    Attributes:
        output: what opens the valve: M8 is `flood`, M7 is `mist`.
        pulse_s: the controller shuts the valve by itself after so long; a longer spray is several pulses.
        blower: the output of a blower or wiper that dries the plate; if left out, the operator is asked to wipe it.
        blow_s: for how long that is on.
        dry_s: how long to wait after it.
    """

    kind: Literal["grbl"]
    output: Output = "M8"
    pulse_s: PositiveFloat = 1.0
    blower: Output | None = None
    blow_s: PositiveFloat = 10.0
    dry_s: NonNegativeFloat = 0.0

    @model_validator(mode="after")
    def _has_two_outputs(self) -> "GrblSprayerSettings":
        if self.blower == self.output:
            raise ValueError(f"output and blower are both {self.output}; expected M7 and M8")
        return self

    @property
    def asks(self) -> bool:
        """Whether a person wipes the plate."""
        return self.blower is None

    def open(self, room: Room, stage: Stage) -> "GrblSprayer":
        """Open it; its valve is shut.

        Raises:
            ConfigError: if the stage is another kind's.
            SettingError: if the controller has no such output.
        """
        if not isinstance(stage, Outputs):
            raise ConfigError("sprayer: kind grbl hangs on the controller of a stage of kind grbl; change one of them")
        if "M7" in (self.output, self.blower) and not stage.has_mist:
            raise SettingError("sprayer: the controller has no M7; build GRBL with ENABLE_M7, or use M8 alone")
        return GrblSprayer(self, stage, room.clock, room.operator)


class GrblSprayer:
    """A `Sprayer` that switches the stage's outputs."""

    def __init__(self, settings: GrblSprayerSettings, stage: Outputs, clock: Clock, operator: Operator) -> None:
        self._settings = settings
        self._stage = stage
        self._clock = clock
        self._operator = operator
        self._open = True

    def spray(self, duration_s: float) -> None:
        """Wet the plate; return when the valve is shut again.

        Raises:
            DeviceError: if the sprayer is closed, or the stage moves or has failed.
        """
        self._pulses(self._settings.output, duration_s)

    def dry(self) -> None:
        """Blow the plate dry, or ask the operator to wipe it.

        Raises:
            DeviceError: as `spray`, or if the operator says no.
        """
        if self._settings.blower is None:
            self._check_open()
            self._operator.ask("wipe the glass until it is dry and clear")
            return
        self._pulses(self._settings.blower, self._settings.blow_s)
        self._clock.sleep(self._settings.dry_s)

    def _pulses(self, output: Output, duration_s: float) -> None:
        left_s = duration_s
        while left_s > 0:
            self._check_open()
            # Whoever closes it between these two lines finds no pulse to shut: the stage asks again.
            self._stage.pulse(output, min(left_s, self._settings.pulse_s), lambda: self._open)
            left_s -= self._settings.pulse_s

    def _check_open(self) -> None:
        if not self._open:
            raise DeviceError("sprayer: closed")

    def close(self) -> None:
        """Shut the valve, if a spray is under way in another thread."""
        self._open = False
        self._operator.cancel()
        self._stage.shut()
