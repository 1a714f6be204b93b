"""The `window` screen: a window of OpenCV's over the whole of a monitor."""

import time
from typing import Final, Literal

import cv2

from natadv.errors import ConnectError
from natadv.images import Image
from rigs.room import Room
from rigs.screen.painter import Painter
from rigs.screen.pixels import MonitorSettings
from rigs.screen.remote import RemoteScreen

_NAME: Final = "natadv"


class WindowSettings(MonitorSettings):
    """A monitor, by the window toolkit that comes with OpenCV."""

    kind: Literal["window"]

    def open(self, room: Room) -> RemoteScreen:
        """Open the window; it shows the ground."""
        return RemoteScreen(self)

    def painter(self) -> Painter:
        """Make the window; called in a process of its own."""
        return _Window(self)


class _Window:
    """A `Painter` by cv2.imshow."""

    def __init__(self, settings: WindowSettings) -> None:
        try:
            cv2.namedWindow(_NAME, cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL)
        except cv2.error as error:
            raise ConnectError(
                "window: this OpenCV was built without windows; uninstall opencv-python-headless, "
                "then install opencv-python again"
            ) from error
        self._settings = settings
        self._placed = False

    def paint(self, pixels: Image) -> float:
        """Show the pixels."""
        cv2.imshow(_NAME, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        self.pump()
        if not self._placed:
            self._place()
        return time.monotonic()

    def _place(self) -> None:
        """Fill the monitor; again at every picture until the window says that it does."""
        settings = self._settings
        # Full screen takes the monitor that the window is on; where no window manager runs nothing else sizes it.
        cv2.moveWindow(_NAME, settings.left_px, settings.top_px)
        cv2.resizeWindow(_NAME, settings.width_px, settings.height_px)
        cv2.setWindowProperty(_NAME, cv2.WND_PROP_FULLSCREEN, cv2.WINDOW_FULLSCREEN)
        self.pump()
        place = (settings.left_px, settings.top_px, settings.width_px, settings.height_px)
        self._placed = tuple(cv2.getWindowImageRect(_NAME)) == place

    def pump(self) -> None:
        """Run the toolkit's events."""
        cv2.waitKey(1)

    def close(self) -> None:
        """Close the window."""
        cv2.destroyAllWindows()
