"""What every sprayer does, and what its settings say."""

from abc import abstractmethod
from typing import ClassVar, Protocol, runtime_checkable

from natadv.raindrops.drops import Drops
from rigs.room import Room
from rigs.settings import Settings
from rigs.stage.base import Stage


class Sprayer(Protocol):
    """Whatever wets the plate and takes the water off again."""

    def spray(self, duration_s: float) -> None:
        """Wet the plate for `duration_s` seconds and return when the valve is shut again."""
        ...

    def dry(self) -> None:
        """Return when the plate is dry and clear: wiped, blown or changed."""
        ...

    def close(self) -> None:
        """Shut the valve and let the device go. Never raises, may be called twice, and from any thread, at any time."""
        ...


@runtime_checkable
class Placer(Sprayer, Protocol):
    """A sprayer that can put each drop where it is told; one with a nozzle cannot."""

    def place(self, drops: Drops, duration_s: float) -> None:
        """Wet the plate with these drops and no others, in `duration_s` seconds."""
        ...


class SprayerSettings(Settings):
    """A sprayer's block of a rig's file.

    Attributes:
        kind: the driver's name in rigs/drivers.py.
    """

    places: ClassVar[bool] = False
    """Whether it is a `Placer`."""

    kind: str

    @property
    def asks(self) -> bool:
        """Whether a person does its work, or part of it, and takes as long as it takes."""
        return False

    @abstractmethod
    def open(self, room: Room, stage: Stage) -> Sprayer:
        """Open the sprayer, its valve shut.

        Args:
            room: its clock times the spray.
            stage: what carries the plate, for a sprayer that hangs on the stage's controller.

        Raises:
            ConnectError: if it is not there.
        """
