"""The bench's optics: a camera focused on a screen, a wet glass plate between them.

Pinhole geometry with a thin lens for the defocus: the camera's entrance pupil is at z = 0, the plate at
`glass_mm`, the screen, which is in focus, at `screen_mm`. A ray that leaves a drop bent by the angle delta
meets the screen `(screen_mm - glass_mm) * tan(delta)` away from where it would have met it (similar
triangles). Rays are taken as parallel to the axis where they meet the plate, whose own thickness is
ignored: below 1 mm on the screen for a 3 mm plate within 15 degrees of the axis.
"""

import math
from dataclasses import dataclass, field

from natadv.raindrops.glint import Lamp
from natadv.raindrops.refraction import WATER_INDEX, WetSide


@dataclass(frozen=True, slots=True)
class Optics:
    """Where camera, plate and screen are, and how wide the lens is open.

    Attributes:
        width_px: width of the camera's picture.
        height_px: height of the camera's picture; pixels are square.
        view_mm: width of the screen's plane that the camera sees.
        screen_mm: distance from the entrance pupil to the screen, which is in focus.
        glass_mm: distance from the entrance pupil to the plate.
        aperture_mm: diameter of the entrance pupil; focal length over f-number. 0 is a pinhole.
        water_index: refractive index of the drops.
        wet_side: the face of the plate that is wet. Towards the screen, light leaves through the curved
            face and is reflected totally where it is steeper than asin(1/n), 48.6 degrees.
        lamp: the lamp whose reflection glints in the drops; None for a dark room.

    Raises:
        ValueError: if a number is not finite or makes no bench.
    """

    width_px: int = 640
    height_px: int = 480
    view_mm: float = 480.0
    screen_mm: float = 600.0
    glass_mm: float = 200.0
    aperture_mm: float = 2.0
    water_index: float = WATER_INDEX
    wet_side: WetSide = "screen"
    lamp: Lamp | None = field(default_factory=Lamp)

    def __post_init__(self) -> None:
        if self.width_px < 1 or self.height_px < 1:
            raise ValueError(f"expected a picture of at least 1 x 1 px, got {self.width_px} x {self.height_px}")
        for name in ("view_mm", "screen_mm", "glass_mm"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"expected {name} > 0, got {value}")
        if self.glass_mm >= self.screen_mm:
            raise ValueError(f"expected the glass nearer than the screen, got {self.glass_mm} and {self.screen_mm} mm")
        if not (math.isfinite(self.aperture_mm) and self.aperture_mm >= 0):
            raise ValueError(f"expected aperture_mm >= 0, got {self.aperture_mm}")
        if not 1 < self.water_index < 3:
            raise ValueError(f"expected 1 < water_index < 3, got {self.water_index}")
        if self.wet_side not in ("screen", "camera"):
            raise ValueError(f"expected wet_side 'screen' or 'camera', got {self.wet_side!r}")

    @property
    def focal_px(self) -> float:
        """Pixels per unit of tan(angle of view)."""
        return self.width_px * self.screen_mm / self.view_mm

    @property
    def px_per_mm_screen(self) -> float:
        """Camera pixels that one millimetre on the screen covers."""
        return self.focal_px / self.screen_mm

    @property
    def px_per_mm_glass(self) -> float:
        """Camera pixels that one millimetre on the plate covers."""
        return self.focal_px / self.glass_mm

    @property
    def blur_px(self) -> float:
        """Diameter of the disc that a point on the plate is spread over, in camera pixels.

        The rays from one screen point to the aperture cross the plate in a disc of
        aperture * (1 - glass / screen), similar triangles again.
        """
        return self.aperture_mm * (1 - self.glass_mm / self.screen_mm) * self.px_per_mm_glass

    @property
    def throw_px(self) -> float:
        """Camera pixels on the screen that a ray is thrown aside per unit of tan(deflection)."""
        return (self.screen_mm - self.glass_mm) * self.px_per_mm_screen
