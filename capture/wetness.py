"""How much of the picture drops cover, estimated from the pictures where the rig cannot know it.

A drop shows by bending light: where it sits, the wet frame differs from the dry control by more than noise. It can show
only where the picture has contrast to bend, so the share is taken of such places alone.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.images import Image
from rigs.geometry import ScreenGeometry

_SIDE_PX = 96
_LEAST = 5.0  # levels, of 255: less is compression of the light, not a drop
_SIGMAS = 4.0
_REACH_PX = 9  # of `_SIDE_PX`: as far as a drop of some size bends light
_ENOUGH = 0.05  # share of the picture with contrast, below which it says nothing


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
        # The mean of n frames differs from the next by the noise of one and of n.
        noise = float(seen.std(0, ddof=1).mean()) if len(seen) > 1 else 0.0
        self._threshold = max(_LEAST, _SIGMAS * noise)
        self._telling = _contrast(self._dry) >= 2 * self._threshold

    def coverage(self, frame: Image) -> float | None:
        """Return the share of the picture that drops cover in a frame, 0..1; None where the picture is too plain."""
        if self._telling.mean() < _ENOUGH:
            return None
        differs = np.abs(self._cut(frame) - self._dry).max(2) > self._threshold
        return float(differs[self._telling].mean())

    def _cut(self, frame: Image) -> NDArray[np.float32]:
        return self._geometry.rectify(frame, self._size).astype(np.float32)


def _contrast(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how far levels lie apart within reach of each place, in the channel where it is most, (h, w)."""
    kernel = np.ones((_REACH_PX, _REACH_PX), np.uint8)
    spread = cv2.dilate(picture, kernel) - cv2.erode(picture, kernel)
    return np.asarray(spread.max(2), np.float32)
