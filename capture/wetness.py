"""How much of the picture drops cover, estimated from the pictures where the rig cannot know it.

A drop shows by bending light: where it sits, the wet frame shows light from elsewhere. Where it is out of focus, its
edge mixes that with what is behind it, so that the difference says how much of a place is covered. What a place differs
by where a drop covers it whole is taken to be what it differs by from other places of the picture, on average.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from natadv.images import Image
from rigs.geometry import ScreenGeometry

_SIDE_PX = 96
_SAMPLES = 97  # places that each is compared with; a prime, so that they fall into no pattern
_PLAIN = 4.0  # levels, of 255: a picture that differs less from itself does not tell drops from noise


class DryPlate:
    """The picture as it looks through dry glass, to compare wet frames with."""

    def __init__(self, frames: Sequence[Image], geometry: ScreenGeometry) -> None:
        """Take the control.

        Args:
            frames: at least one, uint8 RGB (h, w, 3).
            geometry: where the picture lies in them.
        """
        height, width = geometry.picture_size
        scale = min(1.0, _SIDE_PX / max(height, width))
        self._size = (max(1, round(scale * height)), max(1, round(scale * width)))
        self._geometry = geometry
        seen = np.stack([self._cut(frame) for frame in frames])
        self._dry = seen.mean(0)
        # Noise alone makes a frame differ from the mean of n others by so much, on average.
        share = len(seen) / (len(seen) - 1) if len(seen) > 1 else 1.0
        self._noise: float = share * float(np.abs(seen - self._dry).mean()) * (1 + 1 / len(seen)) ** 0.5
        self._apart: float = _apart(self._dry)

    def coverage(self, frame: Image) -> float | None:
        """Return the share of the picture that drops cover in a frame, 0..1; None where the picture is too plain."""
        if self._apart < max(_PLAIN, 2 * self._noise):
            return None
        differs = float(np.abs(self._cut(frame) - self._dry).mean())
        return float(min(1.0, max(0.0, differs - self._noise) / self._apart))

    def _cut(self, frame: Image) -> NDArray[np.float32]:
        return self._geometry.rectify(frame, self._size).astype(np.float32)


def _apart(picture: NDArray[np.float32]) -> float:
    """Return by how much two places of a picture differ, on average, in levels."""
    places = picture.reshape(-1, 3)
    others = places[:: max(1, len(places) // _SAMPLES)]
    return float(np.mean([np.abs(places - other).mean() for other in others]))
