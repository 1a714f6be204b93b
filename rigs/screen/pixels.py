"""A picture on a monitor, pixel for pixel: what each of its pixels has to show.

A picture's pixel becomes n whole pixels of the monitor in each direction. How many follows from the square that the
picture fills, so that the square is the same for every picture of a session, as is the camera's view of it.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from natadv.errors import ConfigError, SettingError
from natadv.images import Image
from rigs.screen.base import OnDisplay, ScreenSettings
from rigs.screen.desktop import Box


class MonitorSettings(ScreenSettings):
    """A monitor of an X display.

    Attributes:
        display: as `:0`; without one, what the environment's DISPLAY names.
        monitor: its name, as `natadv rig list` has it; without one, the monitor that fills the box of the next four.
        left_px: where on the desktop it is; this and the next three are compared with what the display says.
        top_px: the same, downwards.
        width_px: of the monitor.
        height_px: of the monitor.
        picture_px: side of the square in the middle that shows the picture; a multiple of the pictures' sides.
        ground: grey around the picture, 0..255; 118 is the 18 % of light that cameras meter for.
        uneven: show pictures whose sides the square is no multiple of, too: some of their pixels are then a pixel
            wider or higher than others.
        check_pixels: read the display back after each change. Without it nobody knows what is shown; it is for
            desktops that let no program read the display.
        appear_s: how long a picture may take to be on the display.
    """

    display: str | None = None
    monitor: str | None = None
    left_px: NonNegativeInt = 0
    top_px: NonNegativeInt = 0
    width_px: PositiveInt
    height_px: PositiveInt
    picture_px: PositiveInt
    ground: Annotated[int, Field(ge=0, le=255)] = 118
    uneven: bool = False

    @property
    def chart_px(self) -> int:
        """Side of a square picture that it can show as it is."""
        return self.picture_px

    check_pixels: bool = True
    appear_s: PositiveFloat = 2.0

    @model_validator(mode="after")
    def _fits(self) -> "MonitorSettings":
        if self.picture_px > min(self.width_px, self.height_px):
            raise ValueError(
                f"a picture_px of {self.picture_px} does not fit on {self.width_px} × {self.height_px} pixels"
            )
        return self

    @property
    def box(self) -> Box:
        """Where the monitor is on the desktop."""
        return Box(self.left_px, self.top_px, self.width_px, self.height_px)

    @property
    def layout(self) -> "Layout":
        """Where the picture is on the monitor."""
        return Layout(self.width_px, self.height_px, self.picture_px, self.ground)

    def on_display(self) -> OnDisplay:
        """Return where the picture is on its display."""
        square = self.layout.square
        return OnDisplay(
            self.display, self.left_px + square.left, self.top_px + square.top, square.width, square.height
        )

    def check(self, size: tuple[int, int]) -> None:
        """Make sure that a picture of (height, width) can be shown pixel for pixel.

        Raises:
            ConfigError: if it cannot.
        """
        try:
            self.layout.check(size, uneven=self.uneven)
        except SettingError as error:
            raise ConfigError(str(error)) from error


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a picture is on a monitor of `width` × `height` pixels.

    Attributes:
        side: of the picture's square.
        ground: grey around it, 0..255.
    """

    width: int
    height: int
    side: int
    ground: int

    @property
    def square(self) -> Box:
        """The picture's square on the monitor."""
        return Box((self.width - self.side) // 2, (self.height - self.side) // 2, self.side, self.side)

    def check(self, size: tuple[int, int], *, uneven: bool) -> None:
        """Make sure that a picture of (height, width) fills the square by whole pixels.

        Args:
            size: of the picture.
            uneven: some of its pixels may become a pixel wider or higher than others.

        Raises:
            SettingError: if it does not.
        """
        shown = f"screen: a picture of {size[1]} × {size[0]} px"
        if max(size) > self.side:
            raise SettingError(
                f"{shown} is finer than its square of {self.side} px; raise picture_px, or export it smaller"
            )
        if not uneven and any(self.side % length for length in size):
            step = int(np.lcm(*size))
            best = self.side // step * step or step
            raise SettingError(
                f"{shown} does not fill a square of {self.side} px by whole pixels; set picture_px to {best}, "
                "or allow it with uneven: true"
            )

    def empty(self) -> Image:
        """Return the monitor's pixels with no picture on it, uint8 RGB (height, width, 3)."""
        return np.full((self.height, self.width, 3), self.ground, np.uint8)

    def drawn(self, image: Image) -> Image:
        """Return the monitor's pixels with a picture, uint8 RGB (h, w, 3), that fills the square."""
        rows, columns = (np.arange(self.side) * length // self.side for length in image.shape[:2])
        square = self.square
        pixels = self.empty()
        pixels[square.top : square.top + self.side, square.left : square.left + self.side] = image[rows][:, columns]
        return pixels
