"""Light and its 8-bit code: gamma 2.2, both ways.

Drops mix light, so rendering happens in linear light, where white on the screen is 1. Screens and cameras
code it as code / 255 = light^(1 / 2.2) (the usual approximation of sRGB, IEC 61966-2-1).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

GAMMA = 2.2

_LIGHT = ((np.arange(256) / 255.0) ** GAMMA).astype(np.float32)
# Looked up by the root of the light, because 16 bits of the light itself are too coarse for the darkest codes.
_CODE = np.round((np.arange(65536) / 65535.0) ** (2 / GAMMA) * 255).astype(np.uint8)
_CODE_ROW = _CODE.reshape(1, -1)
# OpenCV looks up 16-bit images from version 5 on, at half of numpy's time.
_CV_LOOKS_UP_16_BIT = int(cv2.__version__.split(".")[0]) >= 5


def decode(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the linear light, float32 in 0..1, of an 8-bit image of any shape.

    Raises:
        ValueError: if the image is not uint8.
    """
    if image.dtype != np.uint8:
        raise ValueError(f"expected uint8, got {image.dtype}")
    return _LIGHT[image]


def encode(linear: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the 8-bit code of linear light, (h, w, 3); light outside 0..1 saturates, as on a sensor.

    Raises:
        ValueError: if the light is not float32, (h, w, 3).
    """
    if linear.dtype != np.float32 or linear.ndim != 3 or linear.shape[2] != 3:
        raise ValueError(f"expected float32 (h, w, 3), got {linear.dtype} {linear.shape}")
    root = cv2.sqrt(cv2.max(linear, 0.0))
    steps = cv2.addWeighted(root, 65535.0, root, 0.0, 0.0, dtype=cv2.CV_16U)
    if _CV_LOOKS_UP_16_BIT:
        return np.asarray(cv2.LUT(steps, _CODE_ROW), np.uint8)
    return np.take(_CODE, steps)
