"""WetGlass: what a camera sees through a wet plate in a given pose.

The exact picture is an integral over the lens: for the aperture point that meets the plate u pixels aside,

    out(p) = mean over u of  (1 - a(p+u)) dry(p) + a(p+u) (T(p+u) scene(p + D(p+u)) + G(p+u)),

with the drops' opacity a, their deflection D = throw R(angle) t in camera pixels, their transmission T and
the lamp's glint G. Inside a drop D changes many times faster than u, so scene(p + D(p+u)) is nearly
scene(p+u + D(p+u)), and the integral becomes a convolution with the defocus disc, B:

    layer = T a scene(q + D(q)) + a G                one lookup a point, in a copy of the scene that is
                                                     averaged over areas, so that nothing aliases
    A, C  = B * a, B * layer
    A, C  = A + (1 - A) m, C + (1 - A) m veil        the film's mist m scatters light from all around
    dry(p) = view(p + throw (n-1) R s(p))            the film's slopes s are long and weak: no disc needed
    out   = (1 - A) dry + C

A and C are smooth on the scale of the disc, so all but the last two lines is done on a grid of `cell` camera
pixels, less than half of the disc, and enlarged linearly. `exact.see_exactly` is the integral itself;
tests hold the two together. All is differentiable in the scene, and in t where the scene is.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.raindrops.defocus import disc
from natadv.raindrops.drops import Drops
from natadv.raindrops.film import FilmLayer
from natadv.raindrops.layer import DropLayer, lookup_reduction
from natadv.raindrops.optics import Optics
from natadv.raindrops.plate import grid_over
from natadv.raindrops.pose import Pose
from natadv.raindrops.scene import Light, Scene

__all__ = ["Scene", "View", "WetGlass"]

_CELLS_PER_DISC = 2.5
_LARGEST_CELL = 4  # more would miss small drops between two points
_TEXELS_PER_MM = (5.0, 8.0)  # least, so that half-millimetre drops keep their shape; most, for memory


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What the camera sees through the plate.

    Attributes:
        linear: linear light, float32 (h, w, 3), 1 for the screen's white; glints may exceed it.
        alpha: opacity of the drops, defocused as the camera sees them, float32, 0..1, on blocks of `cell`.
        cell: camera pixels per pixel of `alpha`, each way.
    """

    linear: Light
    alpha: Light
    cell: int

    def coverage(self, region: NDArray[np.floating] | None = None) -> float:
        """Return the share of the view that drops cover, 0..1.

        Args:
            region: corners of a convex polygon in camera pixels, (n, 2) as (x, y); None for the whole view.

        Raises:
            ValueError: if the region is no polygon or lies outside the view.
        """
        if region is None:
            return float(self.alpha.mean())
        corners = np.asarray(region, np.float32)
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3 or not np.isfinite(corners).all():
            raise ValueError(f"expected corners (n, 2) of a polygon, got shape {corners.shape}")
        inside = np.zeros(self.alpha.shape, np.uint8)
        cv2.fillConvexPoly(inside, np.round((corners + 0.5) / self.cell - 0.5).astype(np.int32), 1)
        if not inside.any():
            raise ValueError("expected a region inside the view")
        return float(cv2.mean(self.alpha, mask=inside)[0])


class WetGlass:
    """A wet plate in front of a camera; all that does not depend on the pose is built once.

    Attributes:
        drops: what is on the plate.
        optics: the bench.
        cell: camera pixels per point of the layer, each way.
        layer: the drops; None on a plate without.
        film: the film; None on a plate without.
    """

    def __init__(self, drops: Drops, optics: Optics | None = None) -> None:
        self.drops = drops
        self.optics = optics = optics or Optics()
        self.cell = min(max(round(optics.blur_px / _CELLS_PER_DISC), 1), _LARGEST_CELL)
        per_mm = float(np.clip(1.5 * optics.px_per_mm_glass / self.cell, *_TEXELS_PER_MM))
        self.layer = DropLayer(drops, optics, per_mm) if len(drops) else None
        wet = drops.film.slope or drops.film.haze
        self.film = FilmLayer(drops.film, drops.plate_mm, optics) if wet else None
        self._reduction = lookup_reduction(drops, optics, self.cell)
        self._disc = disc(optics.blur_px / self.cell)

    def see(self, scene: Scene, pose: Pose) -> View:
        """Return what the camera sees of a scene with the plate in this pose.

        Args:
            scene: of the optics' size.
            pose: of the plate.

        Raises:
            ValueError: if the scene has another size or the pose is not finite.
        """
        check(scene, pose, self.optics)
        grid = grid_over(self.optics, self.cell)
        dry, colour, alpha = scene.linear, None, np.zeros((grid.height, grid.width), np.float32)
        if self.layer is not None:
            colour, alpha = self._defocused(self.layer, scene, pose)
        opaque = alpha
        if self.film is not None:
            film = self.film.at(pose, grid)
            dry = self.film.wavered(dry, film, self.cell)
            colour, opaque = hazed(colour, alpha, film[..., 2], FilmLayer.veil(scene, grid))
        linear = dry.copy() if colour is None else self._composed(dry, colour, opaque)
        return View(linear, alpha, self.cell)

    def _defocused(self, layer: DropLayer, scene: Scene, pose: Pose) -> tuple[Light, Light]:
        """Return C and A of the drops on the grid over the view."""
        margin = self._disc.shape[0] // 2
        grid = grid_over(self.optics, self.cell, margin)
        colour, alpha = layer.at(scene.lookup(self._reduction), pose, grid)
        if margin:
            colour, alpha = cv2.filter2D(colour, -1, self._disc), cv2.filter2D(alpha, -1, self._disc)
        inner = np.s_[margin : grid.height - margin, margin : grid.width - margin]
        return np.ascontiguousarray(colour[inner]), np.ascontiguousarray(alpha[inner])

    def _composed(self, dry: Light, colour: Light, alpha: Light) -> Light:
        """Return (1 - A) dry + C at full resolution."""
        height, width = dry.shape[:2]
        keep = cv2.subtract(1.0, alpha)
        if self.cell > 1:
            size = (alpha.shape[1] * self.cell, alpha.shape[0] * self.cell)
            keep, colour = (cv2.resize(plane, size)[:height, :width] for plane in (keep, colour))
        linear = cv2.multiply(dry, cv2.merge([keep] * 3))
        return cv2.add(linear, colour, dst=linear)


def hazed(colour: Light | None, alpha: Light, mist: Light, veil: Light) -> tuple[Light, Light]:
    """Return C and A with the film's mist: what the drops let through, it covers by a share of the veil."""
    share = cv2.multiply(cv2.subtract(1.0, alpha), mist)
    light = cv2.multiply(veil, cv2.merge([share] * 3))
    return light if colour is None else cv2.add(colour, light), cv2.add(alpha, share)


def check(scene: Scene, pose: Pose, optics: Optics) -> None:
    """Raise ValueError if a scene has not the optics' size or a pose is not finite."""
    if scene.size != (optics.height_px, optics.width_px):
        raise ValueError(f"expected a scene of {optics.height_px} x {optics.width_px} px, got {scene.size}")
    if not all(map(math.isfinite, (pose.x_mm, pose.y_mm, pose.angle_deg))):
        raise ValueError(f"expected a finite pose, got {pose}")
