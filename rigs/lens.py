"""A lens's radial distortion: where a point that a pinhole would see falls in the frame, and back.

The first two terms of the radial model of Brown (1971), as in OpenCV: a point at the distance r from the centre moves
to r (1 + k1 r² + k2 r⁴). The unit of r belongs to k1 and k2; where the focal length is unknown, any length will do.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat

from rigs.settings import Settings

Points = NDArray[np.float64]

_STEPS = 30
_CLOSE = 1e-9


class LensSettings(Settings):
    """A lens in a file: a calibration's, a session's.

    Attributes:
        k1: of r²; below 0 is a barrel, above a cushion.
        k2: of r⁴.
        centre_px: (x, y) in the frame of the point that stays where it is.
        unit_px: length in the frame that is r = 1.
    """

    k1: Annotated[float, Field(gt=-10, lt=10)]
    k2: Annotated[float, Field(gt=-10, lt=10)] = 0.0
    centre_px: tuple[float, float]
    unit_px: PositiveFloat

    @property
    def lens(self) -> "Lens":
        """The lens."""
        return Lens(self.k1, self.k2, self.centre_px, self.unit_px)


@dataclass(frozen=True, slots=True)
class Lens:
    """A lens that distorts; the attributes are LensSettings's."""

    k1: float
    k2: float
    centre_px: tuple[float, float]
    unit_px: float

    @property
    def settings(self) -> LensSettings:
        """The same, to be written."""
        return LensSettings(k1=self.k1, k2=self.k2, centre_px=self.centre_px, unit_px=self.unit_px)

    def bend(self, points: Points) -> Points:
        """Return where in the frame the points (..., 2) fall that a pinhole would see at `points`, in pixels."""
        offset = (np.asarray(points, np.float64) - self.centre_px) / self.unit_px
        r2 = (offset**2).sum(-1, keepdims=True)
        return np.asarray(self.centre_px + self.unit_px * offset * (1 + r2 * (self.k1 + r2 * self.k2)), np.float64)

    def straighten(self, points: Points) -> Points:
        """Return where a pinhole would see what falls on `points` (..., 2) of the frame, in pixels.

        Raises:
            ValueError: if the lens sends no point there: so far out it folds the picture over itself.
        """
        offset = (np.asarray(points, np.float64) - self.centre_px) / self.unit_px
        bent = np.sqrt((offset**2).sum(-1, keepdims=True))
        radius = bent.copy()
        for _ in range(_STEPS):  # Newton's method
            r2 = radius**2
            slope = 1 + r2 * (3 * self.k1 + 5 * r2 * self.k2)
            if not (slope > 0).all():
                break
            step = (radius * (1 + r2 * (self.k1 + r2 * self.k2)) - bent) / slope
            radius = radius - step
            if np.abs(step).max(initial=0) < _CLOSE:
                share = np.divide(radius, bent, out=np.ones_like(bent), where=bent > 0)
                return np.asarray(self.centre_px + self.unit_px * offset * share, np.float64)
        raise ValueError(f"a lens with k1 {self.k1:g} and k2 {self.k2:g} does not reach so far out")

    def through(self, left: float, top: float, reduction: float) -> "Lens":
        """Return the lens of frames that are cut at (left, top) and made smaller by `reduction`."""
        x, y = self.centre_px
        centre = ((x + 0.5 - left) / reduction - 0.5, (y + 0.5 - top) / reduction - 0.5)
        return Lens(self.k1, self.k2, centre, self.unit_px / reduction)
