"""Painters put pixels on a monitor; each driver of a screen has its own."""

from typing import Protocol

from natadv.images import Image


class Painter(Protocol):
    """A window without a border that fills one monitor; all calls come from the process's main thread."""

    def paint(self, pixels: Image) -> float:
        """Hand the monitor's pixels, uint8 RGB (h, w, 3), to the display.

        Returns:
            When they had been handed over, by `time.monotonic`; with vsync, when they had been flipped to.
        """
        ...

    def pump(self) -> None:
        """Let the window answer what the display asks of it."""
        ...

    def close(self) -> None:
        """Close the window."""
        ...
