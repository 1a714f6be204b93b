"""Refraction: how far water of a given slope bends a ray, and how much of its light comes through.

Snell's law and Fresnel's equations (Born & Wolf, Principles of Optics, Sec. 1.5) for rays that meet the plate at
right angles.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
WetSide = Literal["screen", "camera"]

WATER_INDEX = 1.333
"""Refractive index of water at 589 nm and 20 degrees Celsius (Hale & Querry 1973, Appl. Opt. 12, 555)."""


def deflection(slope: Array, index: float = WATER_INDEX, wet_side: WetSide = "screen") -> Array:
    """Return tan(angle) by which water of this surface slope bends a ray; towards higher water.

    Snell's law twice: through the flat face (no bend at normal incidence) and the curved one. For small
    slopes it is (index - 1) * slope, the thin prism. Where reflection is total the value of grazing exit is
    returned; `transmission` is 0 there.

    Args:
        slope: |grad h| of the water's thickness, any shape, >= 0.
        index: refractive index of the water.
        wet_side: "screen" if light goes camera, glass, water, air; "camera" for air, water, glass.
    """
    tilt = np.arctan(slope)
    if wet_side == "screen":
        tilt = np.minimum(tilt, np.arcsin(1 / index))
        leaves = np.arcsin(np.minimum(index * np.sin(tilt), 1.0)) - tilt
    else:
        inside = tilt - np.arcsin(np.sin(tilt) / index)
        leaves = np.arcsin(np.minimum(index * np.sin(inside), 1.0))
    return np.tan(leaves).astype(np.float32)


def transmission(slope: Array, index: float = WATER_INDEX, wet_side: WetSide = "screen") -> Array:
    """Return the light that passes water of this surface slope, as a share of what flat water passes, 0..1.

    Fresnel's equations for unpolarised light (Born & Wolf, Principles of Optics, Sec. 1.5.2) at the faces
    that touch air; the face between water and glass reflects 0.4 % and is ignored. This is the dark rim.
    """
    tilt = np.arctan(slope)
    flat = 1 - _reflectance(np.zeros(1), index, 1.0)[0]
    if wet_side == "screen":
        return ((1 - _reflectance(tilt, index, 1.0)) / flat).astype(np.float32)
    inside = tilt - np.arcsin(np.sin(tilt) / index)
    passed = (1 - _reflectance(tilt, 1.0, index)) * (1 - _reflectance(inside, index, 1.0))
    return (passed / flat**2).astype(np.float32)


def _reflectance(angle: NDArray[np.floating], before: float, after: float) -> NDArray[np.floating]:
    """Unpolarised Fresnel reflectance at `angle` (rad) from index `before` to `after`; 1 if total."""
    sine = before / after * np.sin(angle)
    cos_in, cos_out = np.cos(angle), np.sqrt(np.maximum(1 - sine**2, 0.0))
    across = (before * cos_in - after * cos_out) / (before * cos_in + after * cos_out + 1e-12)
    along = (after * cos_in - before * cos_out) / (after * cos_in + before * cos_out + 1e-12)
    return np.where(sine >= 1, 1.0, (across**2 + along**2) / 2)
