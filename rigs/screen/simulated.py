"""The simulated screen: a picture in the bench's world."""

import math
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveFloat

from natadv.errors import DeviceError
from natadv.images import Image
from rigs.bench import Bench
from rigs.panel import lit
from rigs.room import Room
from rigs.screen.base import ScreenSettings


class SimulatedScreenSettings(ScreenSettings):
    """A flat screen.

    Attributes:
        width_mm: of the lit area (527 × 296 mm is a 24-inch monitor's).
        height_mm: of the lit area.
        pitch_mm: of its pixels.
        picture_mm: side of the square in the middle that shows the picture.
        latency_s: from the call, or the refresh after it, to the light.
        refresh_hz: how often a second it can change; 0: at any moment.
        gamma: exponent of its curve, light = code^gamma.
        flicker: by what share of the mean its brightness swings to either side.
        flicker_hz: how often a second.
        ground: linear light of the neutral ground around the picture, 0..1.
        black: linear light of black, 0..1 (a contrast of 1000:1 is 0.001).
    """

    kind: Literal["simulated"]
    width_mm: PositiveFloat = 527.0
    height_mm: PositiveFloat = 296.0
    pitch_mm: PositiveFloat = 0.2745
    picture_mm: PositiveFloat = 240.0
    latency_s: NonNegativeFloat = 0.05
    refresh_hz: NonNegativeFloat = 0.0
    gamma: PositiveFloat = 2.2
    flicker: Annotated[float, Field(ge=0, le=1)] = 0.0
    flicker_hz: PositiveFloat = 120.0
    ground: NonNegativeFloat = 0.18
    black: NonNegativeFloat = 0.002

    @property
    def picture_px(self) -> int:
        """Side of the picture's square in pixels of the screen."""
        return round(self.picture_mm / self.pitch_mm)

    @property
    def outline_mm(self) -> NDArray[np.float64]:
        """Corners of the picture's square on the screen, (4, 2), clockwise from top-left, from the screen's centre."""
        side = self.picture_px
        width, height = round(self.width_mm / self.pitch_mm), round(self.height_mm / self.pitch_mm)
        left, top = (width - side) // 2 - width / 2, (height - side) // 2 - height / 2
        corners = [(left, top), (left + side, top), (left + side, top + side), (left, top + side)]
        return self.pitch_mm * np.array(corners)

    def open(self, room: Room) -> "SimulatedScreen":
        """Open it."""
        return SimulatedScreen(self, room.bench("screen"))


class SimulatedScreen:
    """A `Screen` in the bench's world."""

    def __init__(self, settings: SimulatedScreenSettings, world: Bench) -> None:
        self._settings = settings
        self._world = world
        self._open = True

    def show(self, image: Image) -> None:
        """Show a picture; the camera sees it `latency_s` later.

        Raises:
            DeviceError: if the screen is closed.
        """
        if not self._open:
            raise DeviceError("simulated screen: closed")
        panel = lit(
            image,
            (self._settings.width_mm, self._settings.height_mm),
            self._settings.picture_mm,
            ground=self._settings.ground,
            black=self._settings.black,
            pitch_mm=self._settings.pitch_mm,
            gamma=self._settings.gamma,
            flicker=self._settings.flicker,
            flicker_hz=self._settings.flicker_hz,
        )
        shown_s, refresh_hz = self._world.clock.now_s(), self._settings.refresh_hz
        if refresh_hz:
            shown_s = math.ceil(shown_s * refresh_hz) / refresh_hz
        self._world.show(panel, shown_s + self._settings.latency_s)

    def close(self) -> None:
        """Close it; the last picture stays."""
        self._open = False
