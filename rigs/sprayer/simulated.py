"""The simulated sprayer: puts drops on the bench's plate."""

from dataclasses import fields, replace
from difflib import get_close_matches
from typing import ClassVar, Literal

from pydantic import Field, NonNegativeFloat, field_validator

from natadv.errors import DeviceError
from natadv.raindrops.drops import DropParameters, Drops
from natadv.raindrops.presets import PRESETS
from rigs.bench import Bench
from rigs.room import Room
from rigs.sprayer.base import SprayerSettings
from rigs.stage.base import Stage


class DropSettings(SprayerSettings):
    """What a spray leaves on the plate of a simulated bench.

    Attributes:
        drops: name of a preset of natadv/raindrops/presets.py: its drops, not its bench.
        change: fields of natadv.raindrops.drops.DropParameters that are to be other than the preset's.
        amount: drops after one second of spraying, as a share of the preset's.
    """

    drops: str = "medium"
    change: dict[str, float] = Field(default_factory=dict)
    amount: NonNegativeFloat = 1.0

    @property
    def parameters(self) -> DropParameters:
        """The preset's drops, changed."""
        return replace(PRESETS[self.drops].drops, **self.change)

    @field_validator("drops")
    @classmethod
    def _is_a_preset(cls, name: str) -> str:
        if name not in PRESETS:
            raise ValueError(f"expected one of {', '.join(PRESETS)}")
        return name

    @field_validator("change")
    @classmethod
    def _are_fields(cls, change: dict[str, float]) -> dict[str, float]:
        known = [field.name for field in fields(DropParameters)]
        for name in change:
            if name not in known:
                near = get_close_matches(name, known, 1, 0.0)[0]
                raise ValueError(f"unknown key `{name}`; did you mean `{near}`?")
        DropParameters(**change)
        return change


class SimulatedSprayerSettings(DropSettings):
    """A sprayer's block with `kind: simulated`.

    Attributes:
        dry_s: how long it takes to dry the plate.
    """

    places: ClassVar[bool] = True

    kind: Literal["simulated"]
    dry_s: NonNegativeFloat = 5.0

    def open(self, room: Room, stage: Stage) -> "SimulatedSprayer":
        """Open it."""
        return SimulatedSprayer(self, room.bench("sprayer"))


class SimulatedSprayer:
    """A `Placer` in the bench's world."""

    def __init__(self, settings: SimulatedSprayerSettings, world: Bench) -> None:
        self._settings = settings
        self._world = world
        self._open = True

    def spray(self, duration_s: float) -> None:
        """Wet the plate.

        Raises:
            DeviceError: if the sprayer is closed.
        """
        self._check_open()
        self._world.wet(self._settings.parameters, self._settings.amount * duration_s, duration_s)

    def place(self, drops: Drops, duration_s: float) -> None:
        """Wet the plate with these drops and no others.

        Raises:
            DeviceError: if the sprayer is closed.
        """
        self._check_open()
        self._world.place(drops, duration_s)

    def _check_open(self) -> None:
        if not self._open:
            raise DeviceError("simulated sprayer: closed")

    def dry(self) -> None:
        """Take all water off the plate."""
        self._world.dry(self._settings.dry_s)

    def close(self) -> None:
        """Shut the valve."""
        self._open = False
