"""Defocus: the disc that the lens makes of a point which is not at the screen's distance."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray


def disc(diameter: float) -> NDArray[np.float32]:
    """Return the disc as a kernel that sums to 1, float32 (k, k), k odd; its edge is smoothed over a pixel.

    Args:
        diameter: in pixels of the layer to be blurred; below 1 the kernel is the identity.

    Raises:
        ValueError: if the diameter is negative or not finite.
    """
    if not (math.isfinite(diameter) and diameter >= 0):
        raise ValueError(f"expected a diameter >= 0, got {diameter}")
    if diameter < 1:
        return np.ones((1, 1), np.float32)
    size = 2 * math.ceil(diameter / 2 - 0.5) + 1
    fine = (np.arange(size * 8) + 0.5) / 8 - size / 2
    inside = (fine[:, None] ** 2 + fine[None, :] ** 2 <= (diameter / 2) ** 2).astype(np.float32)
    kernel = cv2.resize(inside, (size, size), interpolation=cv2.INTER_AREA)
    return kernel / kernel.sum()
