"""The `wet` sprayer: another sprayer, and the drops that it would leave, on a plate that is not there.

It goes with the `wet` camera: the valve is a real driver's, opened and shut as on a bench, and what it would wet is the
bench's plate, where that camera finds the drops.
"""

from typing import Any, Literal, Self

from pydantic import create_model, model_validator

from rigs.bench import Bench
from rigs.room import Room
from rigs.sprayer.base import Sprayer, SprayerSettings
from rigs.sprayer.simulated import DropSettings
from rigs.stage.base import Stage


class WetSprayerSettings(DropSettings):
    """Drops on the bench's plate when another sprayer sprays.

    Attributes:
        sprayer: the other sprayer's block.
    """

    kind: Literal["wet"]
    sprayer: SprayerSettings

    @classmethod
    def fitting(cls, data: dict[str, Any]) -> type[Self]:
        """Return the class whose inner sprayer has the settings of the driver that its block names."""
        from rigs.drivers import settings_of  # noqa: PLC0415  # which itself imports the drivers as they are named

        inner: Any = {"sprayer": (settings_of("sprayer", data.get("sprayer")), ...)}
        return create_model(cls.__name__, __base__=cls, **inner)

    @model_validator(mode="after")
    def _has_a_valve(self) -> Self:
        if isinstance(self.sprayer, DropSettings):
            raise ValueError(f"a sprayer of kind {self.sprayer.kind} has its own drops; put a real one behind this")
        return self

    @property
    def asks(self) -> bool:
        """Whether a person does its work."""
        return self.sprayer.asks

    def open(self, room: Room, stage: Stage) -> "WetSprayer":
        """Open the inner sprayer."""
        return WetSprayer(self, self.sprayer.open(room, stage), room.bench("sprayer"))


class WetSprayer:
    """A `Sprayer` that wets and dries the bench's plate when the inner one has done so."""

    def __init__(self, settings: DropSettings, sprayer: Sprayer, world: Bench) -> None:
        self._settings = settings
        self._sprayer = sprayer
        self._world = world

    def spray(self, duration_s: float) -> None:
        """Open the inner sprayer's valve for so long, then put drops on the plate.

        Raises:
            DeviceError: as the inner sprayer; the plate is as it was then.
        """
        self._sprayer.spray(duration_s)
        self._world.wet(self._settings.parameters, self._settings.amount * duration_s, 0.0)

    def dry(self) -> None:
        """Let the inner sprayer dry the plate.

        Raises:
            DeviceError: as the inner sprayer; the plate is as it was then.
        """
        self._sprayer.dry()
        self._world.dry(0.0)

    def close(self) -> None:
        """Shut the inner sprayer's valve."""
        self._sprayer.close()
