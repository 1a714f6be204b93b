"""Film: the thin, uneven water between the drops, and the mist in it.

Where glass wets at all, a film of some micrometres stays between the drops. Its long, weak slopes bend light
a little (the scene wavers), and drops too small to be seen scatter some of it (the scene pales).
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from natadv.raindrops.optics import Optics
from natadv.raindrops.plate import Grid, rotation, texel_map
from natadv.raindrops.pose import Pose
from natadv.raindrops.scene import Light, Scene

_TEXELS_PER_LENGTH = 4  # samples of the textures per correlation length: enough for linear interpolation
_SMOOTH_PX = 8  # camera pixels over which film and veil are linear
_VEIL_SHARE = 16  # the mist shows the mean of the scene over this part of the view's width


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


class FilmLayer:
    """A film in front of a camera: smooth noise over the plate, looked at in any pose.

    The noise, not the film's physics, is chosen: white noise smoothed to the correlation length is the
    thickness whose slopes bend light, a second one the density of the mist.
    """

    def __init__(self, film: Film, plate_mm: tuple[float, float], optics: Optics) -> None:
        self._film, self._plate_mm, self._optics = film, plate_mm, optics
        self._per_mm = _TEXELS_PER_LENGTH / film.length_mm
        width, height = (max(8, math.ceil(side * self._per_mm)) for side in plate_mm)
        noise = np.random.default_rng(film.seed).standard_normal((height, width, 2)).astype(np.float32)
        thickness, mist = cv2.split(cv2.GaussianBlur(noise, (0, 0), _TEXELS_PER_LENGTH / 2))
        down, across = np.gradient(thickness)
        rms = math.sqrt(float(np.mean(across**2 + down**2)))
        patchy = np.clip(1 + 0.6 * mist / float(mist.std()), 0, 2) * film.haze
        channels = (across * film.slope / rms, down * film.slope / rms, np.minimum(patchy, 1))
        self._texture = np.dstack(channels).astype(np.float32)
        self._pixels: tuple[Light, Light] | None = None

    def at(self, pose: Pose, grid: Grid) -> Light:
        """Return the shift of rays in x and y (camera px) and the haze on a grid, float32 (h, w, 3)."""
        coarse, enlarged = _coarse(grid)
        warp = texel_map(self._optics, self._plate_mm, pose, coarse, per_mm=self._per_mm)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (coarse.width, coarse.height)
        here = cv2.warpAffine(self._texture, warp, size, flags=flags, borderMode=cv2.BORDER_REFLECT)
        to_px = np.eye(3)
        # A slope this weak is a thin prism: it bends by (n - 1) * slope.
        to_px[:2, :2] = rotation(pose) * self._optics.throw_px * (self._optics.water_index - 1)
        return cv2.resize(cv2.transform(here, to_px), enlarged)[: grid.height, : grid.width]

    def wavered(self, view: Light, here: Light, cell: int) -> Light:
        """Return the view, (h, w, 3), through the film's slopes; `here` as from `at` on blocks of `cell`."""
        if not self._film.slope:
            return view
        height, width = view.shape[:2]
        size = (here.shape[1] * cell, here.shape[0] * cell)
        across, down = (cv2.resize(plane, size)[:height, :width] for plane in cv2.split(here)[:2])
        if self._pixels is None:
            x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
            self._pixels = tuple(np.meshgrid(x, y))
        at_x, at_y = cv2.add(across, self._pixels[0]), cv2.add(down, self._pixels[1])
        return cv2.remap(view, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    @staticmethod
    def veil(scene: Scene, grid: Grid) -> Light:
        """Return the light that mist scatters towards the camera on a grid: the mean of the scene around."""
        lookup = scene.lookup(max(1, scene.size[1] // _VEIL_SHARE))
        coarse, enlarged = _coarse(grid)
        place = np.zeros((2, 3))
        for axis in (0, 1):
            place[axis, axis] = coarse.cell * lookup.scale[axis]
            place[axis, 2] = coarse.first[axis] * lookup.scale[axis] + lookup.offset[axis]
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (coarse.width, coarse.height)
        veil = cv2.warpAffine(lookup.image, place, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return cv2.resize(veil, enlarged)[: grid.height, : grid.width]


def _coarse(grid: Grid) -> tuple[Grid, tuple[int, int]]:
    """Return a grid of about `_SMOOTH_PX` over this one, and the width and height that it enlarges to."""
    step = max(1, _SMOOTH_PX // grid.cell)
    height, width = -(-grid.height // step), -(-grid.width // step)
    middle = grid.cell * (step - 1) / 2
    first = (grid.first[0] + middle, grid.first[1] + middle)
    return Grid(height, width, grid.cell * step, first), (width * step, height * step)
