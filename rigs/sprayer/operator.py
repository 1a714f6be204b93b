"""A sprayer that is a person with a spray bottle and a cloth."""

from typing import Literal

from natadv.errors import DeviceError
from rigs.operator import Operator
from rigs.room import Room
from rigs.sprayer.base import SprayerSettings
from rigs.stage.base import Stage


class OperatorSprayerSettings(SprayerSettings):
    """A sprayer's block with `kind: operator`."""

    kind: Literal["operator"]

    @property
    def asks(self) -> bool:
        """Whether a person does its work."""
        return True

    def open(self, room: Room, stage: Stage) -> "OperatorSprayer":
        """Ask nothing yet."""
        return OperatorSprayer(room.operator)


class OperatorSprayer:
    """A `Sprayer` that asks."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._open = True

    def spray(self, duration_s: float) -> None:
        """Ask for the plate to be sprayed.

        Raises:
            DeviceError: if the sprayer is closed, or the person says no.
        """
        self._ask(f"spray the glass for about {duration_s:.1f} s, then put the bottle away")

    def dry(self) -> None:
        """Ask for the plate to be wiped.

        Raises:
            DeviceError: as `spray`.
        """
        self._ask("wipe the glass until it is dry and clear")

    def _ask(self, message: str) -> None:
        if not self._open:
            raise DeviceError("sprayer: closed")
        self._operator.ask(message)

    def close(self) -> None:
        """Give up what was asked."""
        self._open = False
        self._operator.cancel()
