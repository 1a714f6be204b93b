"""The simulated screen: a picture in the bench's world."""

from typing import Literal

from pydantic import NonNegativeFloat, PositiveFloat

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
        latency_s: from the call to the light.
        ground: linear light of the neutral ground around the picture, 0..1.
        black: linear light of black, 0..1 (a contrast of 1000:1 is 0.001).
    """

    kind: Literal["simulated"]
    width_mm: PositiveFloat = 527.0
    height_mm: PositiveFloat = 296.0
    pitch_mm: PositiveFloat = 0.2745
    picture_mm: PositiveFloat = 240.0
    latency_s: NonNegativeFloat = 0.05
    ground: NonNegativeFloat = 0.18
    black: NonNegativeFloat = 0.002

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
        )
        self._world.show(panel, self._world.clock.now_s() + self._settings.latency_s)

    def close(self) -> None:
        """Close it; the last picture stays."""
        self._open = False
