"""What every screen does."""

from typing import Protocol

from natadv.images import Image


class Screen(Protocol):
    """A screen that shows one picture, centred on a neutral ground."""

    def show(self, image: Image) -> None:
        """Show uint8 RGB, (h, w, 3), filling the picture's square; it may take a moment to appear."""
        ...

    def close(self) -> None:
        """Let the screen go; may be called twice."""
        ...
