"""The simulated sprayer: puts drops on the bench's plate."""

from typing import Literal

from pydantic import NonNegativeFloat

from natadv.errors import DeviceError
from natadv.raindrops.drops import DropParameters
from rigs.bench import Bench
from rigs.settings import Settings


class SimulatedSprayerSettings(Settings):
    """What a spray leaves on the plate.

    Attributes:
        drops: name of a preset of natadv.raindrops.
        amount: drops after one second of spraying, as a share of the preset's.
        dry_s: how long it takes to dry the plate.
    """

    kind: Literal["simulated"]
    drops: str = "medium"
    amount: NonNegativeFloat = 1.0
    dry_s: NonNegativeFloat = 5.0

    @property
    def parameters(self) -> DropParameters:
        """The preset's drops."""
        return DropParameters()


class SimulatedSprayer:
    """A `Sprayer` in the bench's world."""

    def __init__(self, settings: SimulatedSprayerSettings, world: Bench) -> None:
        self._settings = settings
        self._world = world
        self._open = True

    def spray(self, duration_s: float) -> None:
        """Wet the plate.

        Raises:
            DeviceError: if the sprayer is closed.
        """
        if not self._open:
            raise DeviceError("simulated sprayer: closed")
        self._world.wet(self._settings.parameters, self._settings.amount * duration_s, duration_s)

    def dry(self) -> None:
        """Take all water off the plate."""
        self._world.dry(self._settings.dry_s)

    def close(self) -> None:
        """Shut the valve."""
        self._open = False
