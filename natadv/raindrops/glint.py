"""Glint: the reflection of a lamp in the drops, the bright speck that makes water look wet.

A ray from the camera that meets water's outer face at the tilt t is mirrored by twice that angle. On the face
towards the camera, a convex mirror, a lamp at the angle a from the axis glints where 2 t = a, on the lamp's side
of the drop. On the far face, a concave mirror in water, it glints where n sin(2 t) = sin(a), on the side away
from the lamp. Either reflects ((n - 1) / (n + 1))^2 = 2 % (Born & Wolf, Sec. 1.5.2, near normal incidence).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from natadv.raindrops.refraction import WetSide, deflection


@dataclass(frozen=True, slots=True)
class Lamp:
    """A lamp on the camera's side of the plate, far away.

    Attributes:
        right_deg: angle from the axis to the right as the camera sees it.
        up_deg: angle from the axis upwards.
        radius_deg: angular radius of the lamp (its reflection is blurred to at least `MIN_RADIUS` in slope,
            at the same total light, so that it never falls between two pixels).
        radiance: its radiance, where white on the screen is 1. A 300 cd/m2 screen and a frosted bulb
            of 3e4 cd/m2 give 100.

    Raises:
        ValueError: if a number is not finite, or radius or radiance is negative.
    """

    right_deg: float = -20.0
    up_deg: float = 35.0
    radius_deg: float = 4.0
    radiance: float = 100.0

    def __post_init__(self) -> None:
        values = (self.right_deg, self.up_deg, self.radius_deg, self.radiance)
        if not all(math.isfinite(value) for value in values):
            raise ValueError(f"expected finite numbers, got {self}")
        if self.radius_deg <= 0 or self.radiance < 0 or max(map(abs, values[:2])) >= 80:
            raise ValueError(f"expected a lamp in front of the plate that does not take light, got {self}")


MIN_RADIUS = 0.08
"""Least radius of a glint, in slope; about a tenth of a drop's radius."""


@dataclass(frozen=True, slots=True)
class Glint:
    """Where a lamp glints, in tan(deflection) of the ray through the same point, and how brightly.

    Expressed in deflection because that is what the renderer has at hand; deflection is (n - 1) * slope
    to first order. The light is `peak * max(0, 1 - |t - centre|^2 / radius^2)^2`.

    Attributes:
        centre: deflection (x right, y down) at the glint's middle.
        radius: where the glint ends, in the same unit.
        peak: linear light in its middle.
    """

    centre: tuple[float, float]
    radius: float
    peak: float

    def at(self, across: NDArray[np.float32], down: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the lamp's light where rays are deflected by tan = (across, down), any shape."""
        off = (across - self.centre[0]) ** 2 + (down - self.centre[1]) ** 2
        fall = np.maximum(1 - off * (1 / self.radius**2), 0)
        return fall * fall * np.float32(self.peak)


def glint_of(lamp: Lamp, water_index: float, wet_side: WetSide) -> Glint:
    """Return the glint of a lamp in water of this refractive index on this side of the plate.

    Its integral over slope is that of the lamp's true, flat disc, of radius tan(radius) / 2 (or / 2n): the
    integral of (1 - r^2 / R^2)^2 over its own disc is pi R^2 / 3.
    """
    right, up = math.tan(math.radians(lamp.right_deg)), math.tan(math.radians(lamp.up_deg))
    angle = math.atan(math.hypot(right, up))
    inside = water_index if wet_side == "screen" else 1.0
    slope = np.array([math.tan(math.asin(math.sin(angle) / inside) / 2)], np.float32)
    bend = float(deflection(slope, water_index, wet_side)[0])
    # Rays are deflected towards the drop's middle: the lamp's way where the glint is on the side away from it.
    bend *= (1 if wet_side == "screen" else -1) / (math.hypot(right, up) or 1.0)
    true_radius = math.tan(math.radians(lamp.radius_deg)) / (2 * inside)
    # Falling off from its middle, a speck as bright as the lamp is sqrt(3) times wider.
    radius = max(math.sqrt(3) * true_radius, MIN_RADIUS)
    reflectance = ((water_index - 1) / (water_index + 1)) ** 2
    peak = lamp.radiance * reflectance * 3 * (true_radius / radius) ** 2
    return Glint((bend * right, -bend * up), (water_index - 1) * radius, peak)
