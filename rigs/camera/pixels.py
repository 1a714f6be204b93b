"""A machine-vision camera's pixel formats to uint8 RGB, by the names of the Pixel Format Naming Convention."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.errors import ConfigError
from natadv.images import Image

_Convert = Callable[[NDArray[np.uint8]], Image]


def _by(code: int) -> _Convert:
    return lambda pixels: np.asarray(cv2.cvtColor(pixels, code), np.uint8)


def _same(pixels: NDArray[np.uint8]) -> Image:
    return pixels.copy()  # the device will write into its buffer again


# OpenCV names a Bayer pattern by its second row and column, so RGGB is its "BG".
_FORMATS: Final[dict[str, tuple[int, _Convert]]] = {
    "RGB8": (3, _same),
    "RGB8Packed": (3, _same),
    "BGR8": (3, _by(cv2.COLOR_BGR2RGB)),
    "BGR8Packed": (3, _by(cv2.COLOR_BGR2RGB)),
    "RGBa8": (4, _by(cv2.COLOR_RGBA2RGB)),
    "BGRa8": (4, _by(cv2.COLOR_BGRA2RGB)),
    "Mono8": (1, _by(cv2.COLOR_GRAY2RGB)),
    "BayerRG8": (1, _by(cv2.COLOR_BayerBG2RGB)),
    "BayerBG8": (1, _by(cv2.COLOR_BayerRG2RGB)),
    "BayerGR8": (1, _by(cv2.COLOR_BayerGB2RGB)),
    "BayerGB8": (1, _by(cv2.COLOR_BayerGR2RGB)),
}


def check_format(device: str, name: str) -> None:
    """Make sure that a format is one of ours.

    Raises:
        ConfigError: if it is not.
    """
    if name not in _FORMATS:
        raise ConfigError(f"{device}: pixel_format {name}: expected one of {', '.join(_FORMATS)}")


def to_rgb(name: str, pixels: NDArray[np.uint8], size: tuple[int, int]) -> Image | None:
    """Return a buffer's pixels as an image of its own, (h, w, 3); None if the buffer is torn.

    Args:
        name: of the format.
        pixels: the buffer, of any shape; it may be overwritten afterwards.
        size: (height, width).
    """
    channels, convert = _FORMATS[name]
    if pixels.size != size[0] * size[1] * channels:
        return None
    shape = size if channels == 1 else (*size, channels)
    return convert(pixels.reshape(shape))
