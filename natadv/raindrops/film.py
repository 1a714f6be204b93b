"""Film: the thin, uneven water between the drops, and the mist in it.

Where glass wets at all, a film of some micrometres stays between the drops. Its long, weak slopes bend light
a little (the scene wavers), and drops too small to be seen scatter some of it (the scene pales).
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

TEXELS_PER_LENGTH = 4
"""Samples of the film's textures per correlation length: enough for linear interpolation."""


@dataclass(frozen=True, slots=True)
class Film:
    """The film on a plate.

    Attributes:
        slope: root mean square slope of its surface, mm per mm; .001 to .005 wavers visibly.
        haze: mean share of light that its mist scatters, 0..1.
        length_mm: correlation length of slopes and haze.
        seed: which film of this kind it is.

    Raises:
        ValueError: if a number is not finite or out of range.
    """

    slope: float = 0.0
    haze: float = 0.0
    length_mm: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.slope) and 0 <= self.slope <= 0.1):
            raise ValueError(f"expected a slope in 0..0.1, got {self.slope}")
        if not 0 <= self.haze <= 1:
            raise ValueError(f"expected haze in 0..1, got {self.haze}")
        if not (math.isfinite(self.length_mm) and self.length_mm > 0):
            raise ValueError(f"expected length_mm > 0, got {self.length_mm}")

    def texture(self, plate_mm: tuple[float, float]) -> tuple[NDArray[np.float32], float]:
        """Return slope x, slope y and haze over the plate, float32 (h, w, 3), and its texels per mm.

        Raises:
            ValueError: if the plate has no area.
        """
        if min(plate_mm) <= 0:
            raise ValueError(f"expected a plate with an area, got {plate_mm} mm")
        per_mm = TEXELS_PER_LENGTH / self.length_mm
        width, height = (max(8, math.ceil(side * per_mm)) for side in plate_mm)
        rng = np.random.default_rng(self.seed)
        noise = rng.standard_normal((height, width, 2)).astype(np.float32)
        smooth = cv2.GaussianBlur(noise, (0, 0), TEXELS_PER_LENGTH / 2)
        thickness, mist = smooth[..., 0], smooth[..., 1]
        slope_y, slope_x = np.gradient(thickness)
        rms = math.sqrt(float(np.mean(slope_x**2 + slope_y**2))) + 1e-12
        patchy = np.clip(1 + 0.6 * mist / (float(mist.std()) + 1e-12), 0, 2) * self.haze
        channels = (slope_x * self.slope / rms, slope_y * self.slope / rms, np.minimum(patchy, 1))
        return np.dstack(channels).astype(np.float32), per_mm
