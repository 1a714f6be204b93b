"""A camera's sensor: linear light to the 8-bit image that the driver delivers."""

from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveFloat

from natadv.images import Image
from rigs.settings import Settings

_NOISE_MARGIN_PX = 64
_STRIP_PX = 1 << 14


class SensorSettings(Settings):
    """How light becomes numbers.

    Attributes:
        exposure: of the sensor; 1 makes the screen's white just fill the range in the middle of the frame.
        vignetting: share of the light that is lost in the frame's corners, 0..1.
        gamma: exponent of the transfer curve, value = light^(1/gamma).
        full_well_e: electrons at full range; photon noise is its square root's share (EMVA 1288, Sec. 2.3).
        read_noise_e: electrons of noise in the dark.
    """

    exposure: PositiveFloat = 0.9
    vignetting: Annotated[float, Field(ge=0, le=1)] = 0.25
    gamma: PositiveFloat = 2.2
    full_well_e: PositiveFloat = 9000.0
    read_noise_e: NonNegativeFloat = 6.0


class Sensor:
    """Turns linear light, (h, w, 3), 0..1, into uint8 RGB.

    Photon noise has a standard deviation that grows with the root of the light, so its size is one constant in the
    root of the light: there it is added, from one field of normal numbers shifted at random for every frame.
    """

    def __init__(self, settings: SensorSettings, frame_size: tuple[int, int], generator: np.random.Generator) -> None:
        height, width = frame_size
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        radius2 = (x - (width - 1) / 2) ** 2 + (y - (height - 1) / 2) ** 2
        falloff = 1 - settings.vignetting * radius2 / max(1.0, float(radius2.max()))
        self._gain = np.ascontiguousarray(np.dstack([settings.exposure * falloff] * 3).astype(np.float32))
        self._size = frame_size
        self._read = settings.read_noise_e / settings.full_well_e
        self._shot = 0.5 / float(np.sqrt(settings.full_well_e))
        margin = _NOISE_MARGIN_PX
        self._field = generator.standard_normal((height + margin, width + margin, 3), np.float32)
        self._strip = max(1, _STRIP_PX // width)
        roots = np.arange(256) / 255
        self._curve = np.rint(255 * roots ** (2 / settings.gamma)).astype(np.uint8)

    def expose(self, light: NDArray[np.float32], generator: np.random.Generator) -> Image:
        """Return the image of one exposure."""
        read, shot = self._noise(generator), self._noise(generator)
        image = np.empty(light.shape, np.uint8)
        # A few rows at a time through all steps stay in the processor's cache, which whole frames do not.
        for top in range(0, self._size[0], self._strip):
            rows = slice(top, top + self._strip)
            seen = cv2.multiply(light[rows], self._gain[rows])
            seen = cv2.scaleAdd(read[rows], self._read, seen, dst=seen)
            root = cv2.sqrt(np.maximum(seen, 0, out=seen), dst=seen)
            codes = cv2.addWeighted(root, 255.0, shot[rows], 255 * self._shot, 0.0, dtype=cv2.CV_8U)
            cv2.LUT(codes, self._curve, dst=image[rows])
        return image

    def _noise(self, generator: np.random.Generator) -> NDArray[np.float32]:
        y, x = generator.integers(0, _NOISE_MARGIN_PX, 2)
        return self._field[y : y + self._size[0], x : x + self._size[1]]
