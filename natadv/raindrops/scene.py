"""Scene: what the camera would see through dry glass, and what lies beside its view.

A drop shows most of the room in a few pixels. So beside the sharp view a scene keeps wider, smaller copies of
itself, averaged over areas, in which refracted rays are looked up without aliasing.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Light = NDArray[np.float32]

SURROUND = 2.0
"""Field of the lookup copies, in views, where no wider view is given."""


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """A small wide copy of a scene; camera pixel (x, y) is at `scale * (x, y) + offset` in it.

    Attributes:
        image: linear light, float32 (h, w, 3).
        scale: its pixels per camera pixel, x and y.
        offset: where camera pixel (0, 0) is in it, x and y.
    """

    image: Light
    scale: tuple[float, float]
    offset: tuple[float, float]


class Scene:
    """A view in linear light with its surround; built once per shown image.

    Attributes:
        linear: the view, float32 (h, w, 3), 0..1.
        ambient: linear light beyond all that is known.
    """

    def __init__(
        self,
        linear: Light,
        *,
        wide: Light | None = None,
        wide_factor: float = SURROUND,
        ambient: float = 0.02,
    ) -> None:
        """Keep a view and its surround.

        Args:
            linear: what the camera sees through dry glass, linear light, float32 (h, w, 3), 0..1.
            wide: a wider view of the same scene at any resolution, float32 (h2, w2, 3), with the same
                middle and axes; None for `ambient` all around the view.
            wide_factor: width (and height) of the field of `wide`, in those of `linear`.
            ambient: linear light where nothing is known; a dark room is about 0.02 of the screen's white.

        Raises:
            ValueError: for another type or shape, NaN, light below 0, or a field narrower than the view.
        """
        for name, light in (("linear", linear), ("wide", wide)):
            if light is None:
                continue
            if light.dtype != np.float32 or light.ndim != 3 or light.shape[2] != 3 or not light.size:
                raise ValueError(f"expected {name} as float32 (h, w, 3), got {light.dtype} {light.shape}")
            low, high = cv2.minMaxLoc(light.reshape(light.shape[0], -1))[:2]
            if not (low >= 0 and math.isfinite(high) and math.isfinite(cv2.sumElems(light)[0])):
                raise ValueError(f"expected {name} as light from 0 up, got {low} to {high}")
        if not (math.isfinite(wide_factor) and wide_factor >= 1):
            raise ValueError(f"expected wide_factor >= 1, got {wide_factor}")
        if not (math.isfinite(ambient) and ambient >= 0):
            raise ValueError(f"expected ambient >= 0, got {ambient}")
        self.linear = np.ascontiguousarray(linear)
        self.ambient = float(ambient)
        self._wide = wide
        self._wide_factor = wide_factor
        self._lookups: dict[int, Lookup] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the view, px."""
        return self.linear.shape[0], self.linear.shape[1]

    def lookup(self, reduction: int) -> Lookup:
        """Return the wide copy in which one pixel averages `reduction` camera pixels each way; kept.

        Raises:
            ValueError: if `reduction` is below 1.
        """
        if reduction < 1:
            raise ValueError(f"expected reduction >= 1, got {reduction}")
        if reduction not in self._lookups:
            self._lookups[reduction] = self._build(reduction)
        return self._lookups[reduction]

    def _build(self, reduction: int) -> Lookup:
        height, width = self.size
        inner_w, inner_h = max(1, round(width / reduction)), max(1, round(height / reduction))
        scale = (inner_w / width, inner_h / height)
        factor = SURROUND if self._wide is None else self._wide_factor
        pad_x = math.ceil(inner_w * (factor - 1) / 2)
        pad_y = math.ceil(inner_h * (factor - 1) / 2)
        outer = (inner_w + 2 * pad_x, inner_h + 2 * pad_y)
        inner = cv2.resize(self.linear, (inner_w, inner_h), interpolation=cv2.INTER_AREA)
        if self._wide is None:
            image = np.full((outer[1], outer[0], 3), self.ambient, np.float32)
        else:
            image = self._surround(outer, scale)
        image[pad_y : pad_y + inner_h, pad_x : pad_x + inner_w] = inner
        offset = (0.5 * scale[0] - 0.5 + pad_x, 0.5 * scale[1] - 0.5 + pad_y)
        return Lookup(image, scale, offset)

    def _surround(self, outer: tuple[int, int], scale: tuple[float, float]) -> Light:
        """Return the wider view on the lookup's grid; the view itself is pasted over its middle."""
        height, width = self.size
        field = (width * self._wide_factor * scale[0], height * self._wide_factor * scale[1])
        size = (max(1, round(field[0])), max(1, round(field[1])))
        fitted = cv2.resize(self._wide, size, interpolation=cv2.INTER_AREA)
        # Rounding may leave it a pixel too large or too small on any side.
        image = np.full((outer[1], outer[0], 3), self.ambient, np.float32)
        left, top = (outer[0] - size[0]) // 2, (outer[1] - size[1]) // 2
        part = fitted[max(-top, 0) : outer[1] - top, max(-left, 0) : outer[0] - left]
        top, left = max(top, 0), max(left, 0)
        image[top : top + part.shape[0], left : left + part.shape[1]] = part
        return image
