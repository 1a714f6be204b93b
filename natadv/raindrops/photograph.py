"""RandomGlass: one picture as a rig would photograph it behind a random wet plate.

The picture is taken to stand large on a screen, filling the camera's view, in a room of random brightness, and to be
scaled to its own size afterwards; so small pictures are rendered larger and averaged down. For training sets.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.images import Image
from natadv.raindrops.drops import Drops
from natadv.raindrops.glass import WetGlass
from natadv.raindrops.light import decode, encode
from natadv.raindrops.optics import Optics
from natadv.raindrops.panes import PANES, VIEW_MM
from natadv.raindrops.pose import Pose
from natadv.raindrops.presets import PRESETS, Wetness
from natadv.raindrops.scene import Scene

PICTURE_MM = (200.0, 320.0)
"""Longer side of the picture on the screen, least and most: a drop is larger in a smaller picture."""

SURROUND = (0.02, 0.6)
"""Light around the picture, least (a dark room) and most (a pale wall, an overcast sky), of the picture's white.

A drop gathers the light of a wide field: before a dark picture in bright surroundings it is a bright spot.
"""

_RENDERED_PX = 128  # least longer side at which drops are rendered
_OUTDOORS = 3.0  # field of the scene around a picture taken outdoors, in pictures
_ROOM_MM = 40.0  # how much larger than the view a plate is, so that poses differ


class RandomGlass:
    """A pool of wet plates for pictures of one size.

    A plate is built (about 0.2 s) when it is first drawn, and every picture sees one of them in a pose
    of its own, so few plates give many different wettings.
    """

    def __init__(
        self,
        size: tuple[int, int],
        rng: np.random.Generator,
        *,
        plates: int = 12,
        wetness: Sequence[Wetness] | None = None,
        picture_mm: tuple[float, float] = PICTURE_MM,
        outdoors: bool = False,
    ) -> None:
        """Plan the plates.

        Args:
            size: height and width of the pictures, px.
            rng: which drops; the same state gives the same plates.
            plates: how many.
            wetness: the presets to take in turn; all of `presets.PRESETS` by default.
            picture_mm: least and most of the picture's longer side on the screen; smaller ones have larger drops.
            outdoors: the scene goes on around the picture, mirrored at its edges, instead of ending in a room.

        Raises:
            ValueError: if the size, the number of plates or the picture is not positive, or there is no wetness.
        """
        if not 0 < picture_mm[0] <= picture_mm[1] < math.inf:
            raise ValueError(f"expected 0 < least <= most picture_mm, got {picture_mm}")
        kinds = list(PRESETS.values() if wetness is None else wetness)
        if min(size) < 1 or plates < 1 or not kinds:
            raise ValueError(f"expected a size, plates and wetness, got {size}, {plates} and {len(kinds)} presets")
        self.size, self._picture_mm, self._outdoors = size, picture_mm, outdoors
        self._zoom = max(1, math.ceil(_RENDERED_PX / max(size)))
        self._kinds = [kinds[i % len(kinds)] for i in range(plates)]
        self._seeds = [int(seed) for seed in rng.integers(2**63, size=plates)]
        self._glasses: dict[int, WetGlass] = {}

    def __call__(self, image: Image, rng: np.random.Generator) -> Image:
        """Return the picture, uint8 RGB (h, w, 3), behind one of the plates in a random pose.

        Raises:
            ValueError: if the picture is not uint8 RGB of this pool's size.
        """
        if image.dtype != np.uint8 or image.shape != (*self.size, 3):
            raise ValueError(f"expected uint8 {(*self.size, 3)}, got {image.dtype} {image.shape}")
        glass = self._glass(int(rng.integers(len(self._seeds))))
        room = _ROOM_MM / 2
        pose = Pose(float(rng.uniform(-room, room)), float(rng.uniform(-room, room)), float(rng.uniform(-180.0, 180.0)))
        low, high = SURROUND
        surround = float(low * (high / low) ** rng.random())
        light = decode(image)
        wide = _mirrored(light) if self._outdoors else None
        scene = Scene(self._enlarged(light), wide=wide, wide_factor=_OUTDOORS, ambient=surround)
        linear = glass.see(scene, pose).linear
        if self._zoom > 1:
            linear = cv2.resize(linear, self.size[::-1], interpolation=cv2.INTER_AREA)
        return encode(linear)

    def _enlarged(self, linear: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._zoom == 1:
            return linear
        # Each pixel becomes a block: averaged down again, a dry picture is exactly itself.
        return cv2.resize(linear, None, fx=self._zoom, fy=self._zoom, interpolation=cv2.INTER_NEAREST)

    def _glass(self, index: int) -> WetGlass:
        if index not in self._glasses:
            kind = self._kinds[index]
            height, width = (side * self._zoom for side in self.size)
            rng = np.random.default_rng(self._seeds[index])
            view_mm = rng.uniform(*self._picture_mm) * width / max(width, height)
            optics = kind.on(Optics(width_px=width, height_px=height, view_mm=view_mm))
            seen_mm = math.hypot(width, height) / optics.px_per_mm_glass + _ROOM_MM
            self._glasses[index] = WetGlass(Drops.empty((seen_mm, seen_mm)).sprayed(rng, kind.drops), optics)
        return self._glasses[index]


def behind_panes(size: tuple[int, int], rng: np.random.Generator, *, plates: int = 24) -> RandomGlass:
    """Return a pool of panes as photographers of rain have them, each kind of `panes` in turn."""
    return RandomGlass(size, rng, plates=plates, wetness=list(PANES.values()), picture_mm=VIEW_MM, outdoors=True)


def _mirrored(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a scene `_OUTDOORS` times as wide and high whose middle is this one, (h, w, 3)."""
    height, width = light.shape[:2]
    y, x = (round(side * (_OUTDOORS - 1) / 2) for side in (height, width))
    return cv2.copyMakeBorder(light, y, y, x, x, cv2.BORDER_REFLECT)


def through_glass(image: Image, rng: np.random.Generator, *, wetness: Wetness | None = None) -> Image:
    """Return one picture, uint8 RGB (h, w, 3), behind a wet plate of its own; for many, keep a `RandomGlass`.

    Args:
        image: the picture.
        rng: which plate, which pose.
        wetness: how wet; a random one of the presets by default.

    Raises:
        ValueError: if the picture is not uint8 RGB.
    """
    if image.ndim != 3 or image.dtype != np.uint8:
        raise ValueError(f"expected uint8 (h, w, 3), got {image.dtype} {image.shape}")
    kinds = list(PRESETS.values())
    chosen = wetness or kinds[int(rng.integers(len(kinds)))]
    size = (image.shape[0], image.shape[1])
    return RandomGlass(size, rng, plates=1, wetness=[chosen])(image, rng)
