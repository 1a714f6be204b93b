"""What every screen does, and what its settings say."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

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


@runtime_checkable
class ReadsBack(Protocol):
    """A `Screen` that can look whether it still shows what it was given, as something may have popped up since."""

    def changed(self) -> str | None:
        """Return what is no longer as it was shown, in words; None where all is, or nothing was shown.

        Raises:
            DeviceError: if the screen is closed or gone.
        """
        ...


@runtime_checkable
class Flips(Protocol):
    """A `Screen` that knows when its last picture was handed to the display (`window`) or flipped to (`glfw`)."""

    @property
    def flipped_s(self) -> float | None:
        """That moment by the rig's clock; None before the first picture."""
        ...


@dataclass(frozen=True, slots=True)
class OnDisplay:
    """The picture's square on an X display, in whole pixels of its desktop.

    Attributes:
        display: as `:0`; None for what the environment's DISPLAY names.
    """

    display: str | None
    left: int
    top: int
    width: int
    height: int


class ScreenSettings(Settings):
    """A screen's block of a rig's file.

    Attributes:
        kind: the driver's name in rigs/drivers.py.
    """

    kind: str

    @property
    def chart_px(self) -> int:
        """Side of a square picture that it can show as it is."""
        return 256

    @abstractmethod
    def open(self, room: Room) -> Screen:
        """Open the screen; it shows its neutral ground.

        Raises:
            ConnectError: if it is not there.
            SettingError: if it does not show the pixels that it is given.
        """

    def check(self, size: tuple[int, int]) -> None:
        """Make sure that pictures of (height, width) can be shown as they are.

        Raises:
            ConfigError: if they cannot.
        """

    def on_display(self) -> OnDisplay | None:
        """Return where the picture is on an X display; None if it is on none."""
        return None
