"""What every screen does, and what its settings say."""

from abc import abstractmethod
from typing import Protocol

from natadv.images import Image
from rigs.room import Room
from rigs.settings import Settings


class Screen(Protocol):
    """A screen that shows one picture, centred on a neutral ground."""

    def show(self, image: Image) -> None:
        """Show uint8 RGB, (h, w, 3), filling the picture's square; it may take a moment to appear."""
        ...

    def close(self) -> None:
        """Let the screen go; may be called twice, and from any thread: it ends a call that hangs."""
        ...


class ScreenSettings(Settings):
    """A screen's block of a rig's file.

    Attributes:
        kind: the driver's name in rigs/drivers.py.
    """

    kind: str

    @abstractmethod
    def open(self, room: Room) -> Screen:
        """Open the screen; it shows its neutral ground.

        Raises:
            ConnectError: if it is not there.
            SettingError: if it does not show the pixels that it is given.
        """
