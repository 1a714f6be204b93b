"""WetGlass: what a camera sees through a wet plate in a given pose.

The exact picture is an integral over the lens: for the aperture point that meets the plate u pixels aside,

    out(p) = mean over u of  (1 - a(p+u)) dry(p) + a(p+u) (T(p+u) scene(p + D(p+u)) + G(p+u)),

with the drops' opacity a, their deflection D = throw * R(angle) t in camera pixels, their transmission T and
the lamp's glint G. Inside a drop D changes many times faster than u, so scene(p + D(p+u)) is nearly
scene(p+u + D(p+u)), and the integral becomes a convolution with the defocus disc, B:

    layer = T a scene(q + D(q)) + a G                one lookup a pixel, in a copy of the scene that is
                                                     averaged over areas, so that nothing aliases
    A, C  = B * a, B * layer
    A, C  = A + (1 - A) m, C + (1 - A) m veil        the film's mist m scatters light from far around
    dry(p) = view(p + throw (n-1) R s_film(p))       the film's slopes are long and weak: no disc needed
    out   = (1 - A) dry + C

A, C, a, t are smooth on the scale of the disc, so all but the last two lines is done on a grid of `cell`
camera pixels, about a third of the disc. `exact.see_exactly` is the integral itself; tests hold the
two together. No step but the disc looks at neighbours, so the whole is differentiable in the scene and in t.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.raindrops.drops import Drops
from natadv.raindrops.field import field_of
from natadv.raindrops.glint import glint_of
from natadv.raindrops.optics import Optics, deflection, transmission
from natadv.raindrops.pose import Pose
from natadv.raindrops.scene import Light, Lookup, Scene

__all__ = ["Scene", "View", "WetGlass"]

_CELLS_PER_DISC = 3
_LARGEST_CELL = 12
_TEXELS_PER_MM = (5.0, 8.0)  # least, so that half-millimetre drops keep their shape; most, for memory


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What the camera sees through the plate.

    Attributes:
        linear: linear light, float32 (h, w, 3), 1 for the screen's white; glints and lamps may exceed it.
        alpha: opacity of the drops as the camera sees them, defocused, float32 (h / cell, w / cell), 0..1.
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
            raise ValueError(f"expected corners (n, 2) of a polygon, got {region!r}")
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
        cell: camera pixels per pixel of the layer, each way.
    """

    def __init__(self, drops: Drops, optics: Optics | None = None) -> None:
        self.drops = drops
        self.optics = optics = optics or Optics()
        self.cell = int(min(max(round(optics.blur_px / _CELLS_PER_DISC), 1), _LARGEST_CELL))
        self.texels_per_mm = float(np.clip(1.5 * optics.px_per_mm_glass / self.cell, *_TEXELS_PER_MM))
        self.texture = _texture(drops, optics, self.texels_per_mm) if len(drops) else None
        film = drops.film
        self.film, self.film_per_mm = film.texture(drops.plate_mm) if film.slope or film.haze else (None, 1.0)
        self.glint = glint_of(optics.lamp, optics.water_index) if optics.lamp else None
        self.reduction = _reduction(drops, optics, self.cell)
        self._disc = disc(optics.blur_px / self.cell)
        self._margin = self._disc.shape[0] // 2 if self._disc is not None else 0
        self._cells = (math.ceil(optics.height_px / self.cell), math.ceil(optics.width_px / self.cell))
        self._bases: dict[tuple[object, ...], tuple[Light, Light]] = {}

    def see(self, scene: Scene, pose: Pose) -> View:
        """Return what the camera sees of a scene with the plate in this pose.

        Args:
            scene: of the optics' size.
            pose: of the plate; its middle is at (x, y) on the camera's axis, about which it is turned.

        Raises:
            ValueError: if the scene has another size or the pose is not finite.
        """
        check(scene, pose, self.optics)
        height, width = self._cells
        film = self.film_at(pose, self.cell, (height, width)) if self.film is not None else None
        clean = scene.linear if film is None else self.through_film(scene.linear, film)
        if self.texture is None:
            alpha, colour = np.zeros((height, width), np.float32), None
        else:
            colour, alpha = self._drop_layer(scene, pose)
        seen = alpha
        if film is not None and self.drops.film.haze:
            colour, alpha = add_veil(colour, alpha, film[..., 2], scene)
        linear = clean.copy() if colour is None else self._composed(clean, colour, alpha)
        return View(linear, seen, self.cell)

    def affine(
        self, pose: Pose, per_mm: float, cell: float, first: tuple[float, float]
    ) -> NDArray[np.float64]:
        """Return the map, (2, 3), from a grid of the camera's picture to texels of the plate.

        Args:
            pose: of the plate.
            per_mm: texels per mm.
            cell: camera pixels per grid step.
            first: camera pixel (x, y) of grid point (0, 0).
        """
        optics, (plate_w, plate_h) = self.optics, self.drops.plate_mm
        turn = _rotation(pose).T / optics.px_per_mm_glass
        centre = np.array([(optics.width_px - 1) / 2, (optics.height_px - 1) / 2])
        shift = np.array([pose.x_mm, pose.y_mm]) * optics.px_per_mm_glass
        origin = turn @ (np.array(first) - centre - shift)
        texel = (origin + np.array([plate_w, plate_h]) / 2) * per_mm - 0.5
        return np.column_stack([turn * cell * per_mm, texel])

    def layer_at(
        self, lookup: Lookup, pose: Pose, cell: int, shape: tuple[int, int], first: tuple[float, float],
        eye: tuple[float, float] = (0.0, 0.0),
    ) -> tuple[Light, Light]:  # fmt: skip
        """Return the sharp layer: premultiplied light, (h, w, 3), and opacity, (h, w), on a grid.

        Args:
            lookup: the copy of the scene in which rays are looked up.
            pose: of the plate.
            cell: camera pixels per grid step.
            shape: of the grid.
            first: camera pixel (x, y) of grid point (0, 0).
            eye: where the ray would meet the focused screen, in camera pixels from the grid point.
        """
        height, width = shape
        warp = self.affine(pose, self.texels_per_mm, cell, first)
        here = cv2.warpAffine(
            self.texture, warp, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        bend_x, bend_y, passed, alpha = cv2.split(here)
        turn = _rotation(pose)
        across = cv2.addWeighted(bend_x, turn[0, 0], bend_y, turn[0, 1], 0)
        down = cv2.addWeighted(bend_x, turn[1, 0], bend_y, turn[1, 1], 0)
        start = (first[0] + eye[0], first[1] + eye[1])
        base_x, base_y = self._base(lookup, cell, shape, start)
        throw = self.optics.throw_px
        at_x = cv2.scaleAdd(across, throw * lookup.scale[0], base_x)
        at_y = cv2.scaleAdd(down, throw * lookup.scale[1], base_y)
        colour = cv2.remap(lookup.image, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        cv2.multiply(colour, cv2.merge([passed] * 3), dst=colour)
        if self.glint is not None:
            light = self._glint_light(across, down)
            cv2.multiply(light, alpha, dst=light)
            cv2.add(colour, cv2.merge([light] * 3), dst=colour)
        return colour, alpha

    def film_at(self, pose: Pose, cell: int, shape: tuple[int, int]) -> Light:
        """Return the film on a grid over the view: shift x, shift y (camera px) and haze, float32 (h, w, 3)."""
        first = ((cell - 1) / 2, (cell - 1) / 2)
        warp = self.affine(pose, self.film_per_mm, cell, first)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        here = cv2.warpAffine(
            self.film, warp, (shape[1], shape[0]), flags=flags, borderMode=cv2.BORDER_REFLECT
        )
        to_px = np.eye(3)
        to_px[:2, :2] = _rotation(pose) * self.optics.throw_px * (self.optics.water_index - 1)
        return cv2.transform(here, to_px)

    def through_film(self, view: Light, film: Light) -> Light:
        """Return the view as the film's slopes waver it; `film` as from `film_at`."""
        if not self.drops.film.slope:
            return view
        height, width = view.shape[:2]
        size = (film.shape[1] * self.cell, film.shape[0] * self.cell)
        grid_x, grid_y = self._grid(height, width)
        across, down = (cv2.resize(plane, size)[:height, :width] for plane in cv2.split(film)[:2])
        return cv2.remap(
            view,
            cv2.add(across, grid_x),
            cv2.add(down, grid_y),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )

    def _drop_layer(self, scene: Scene, pose: Pose) -> tuple[Light, Light]:
        """Return the defocused layer, C and A, on the view's grid of cells."""
        (height, width), margin, cell = self._cells, self._margin, self.cell
        first = (cell - 1) / 2 - margin * cell
        colour, alpha = self.layer_at(
            scene.lookup(self.reduction),
            pose,
            cell,
            (height + 2 * margin, width + 2 * margin),
            (first, first),
        )
        if self._disc is not None:
            colour = cv2.filter2D(colour, -1, self._disc)
            alpha = cv2.filter2D(alpha, -1, self._disc)
        inner = np.s_[margin : margin + height, margin : margin + width]
        return np.ascontiguousarray(colour[inner]), np.ascontiguousarray(alpha[inner])

    def _composed(self, clean: Light, colour: Light, alpha: Light) -> Light:
        """Return (1 - A) clean + C at full resolution."""
        height, width = clean.shape[:2]
        size = (alpha.shape[1] * self.cell, alpha.shape[0] * self.cell)
        keep = cv2.subtract(1.0, alpha)
        if self.cell > 1:
            keep = cv2.resize(keep, size)[:height, :width]
            colour = cv2.resize(colour, size)[:height, :width]
        linear = cv2.multiply(clean, cv2.merge([keep] * 3))
        return cv2.add(linear, colour, dst=linear)

    def _glint_light(self, across: Light, down: Light) -> Light:
        """Return the lamp's light where the rays are deflected by (across, down); see `glint.Glint`."""
        (centre_x, centre_y), radius = self.glint.centre, self.glint.radius
        off = (across - centre_x) ** 2 + (down - centre_y) ** 2
        fall = np.maximum(1 - off * (1 / radius**2), 0)
        return fall * fall * np.float32(self.glint.peak)

    def _base(
        self, lookup: Lookup, cell: int, shape: tuple[int, int], first: tuple[float, float]
    ) -> tuple[Light, Light]:
        """Return where undeflected rays are in the lookup: x and y, each (h, w); kept for the last few."""
        key = (lookup.scale, lookup.offset, cell, shape, first)
        if key not in self._bases:
            x = (np.arange(shape[1]) * cell + first[0]) * lookup.scale[0] + lookup.offset[0]
            y = (np.arange(shape[0]) * cell + first[1]) * lookup.scale[1] + lookup.offset[1]
            if len(self._bases) > 3:
                self._bases.clear()
            self._bases[key] = tuple(plane.astype(np.float32) for plane in np.meshgrid(x, y))
        return self._bases[key]

    def _grid(self, height: int, width: int) -> tuple[Light, Light]:
        if ("grid",) not in self._bases:
            grid = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
            self._bases["grid",] = (grid[0], grid[1])
        return self._bases["grid",]


def disc(diameter: float) -> Light | None:
    """Return the defocus disc as a normalised odd kernel; None where it is smaller than a pixel."""
    if diameter < 1:
        return None
    half = math.ceil(diameter / 2 - 0.5)
    fine = (np.arange((2 * half + 1) * 8) + 0.5) / 8 - half - 0.5
    inside = (fine[:, None] ** 2 + fine[None, :] ** 2 <= (diameter / 2) ** 2).astype(np.float32)
    kernel = cv2.resize(inside, (2 * half + 1, 2 * half + 1), interpolation=cv2.INTER_AREA)
    return kernel / kernel.sum()


def check(scene: Scene, pose: Pose, optics: Optics) -> None:
    """Raise ValueError if a scene has not the optics' size or a pose is not finite."""
    if scene.size != (optics.height_px, optics.width_px):
        raise ValueError(f"expected a scene of {optics.height_px} x {optics.width_px} px, got {scene.size}")
    if not all(map(math.isfinite, (pose.x_mm, pose.y_mm, pose.angle_deg))):
        raise ValueError(f"expected a finite pose, got {pose}")


def add_veil(colour: Light | None, alpha: Light, haze: Light, scene: Scene) -> tuple[Light, Light]:
    """Return C and A with the film's mist, which shows the average of the scene far around."""
    height, width = alpha.shape
    lookup = scene.lookup(max(1, scene.size[1] // 16))
    step_x, step_y = scene.size[1] / width, scene.size[0] / height
    place = np.array(
        [
            [step_x * lookup.scale[0], 0, (step_x - 1) / 2 * lookup.scale[0] + lookup.offset[0]],
            [0, step_y * lookup.scale[1], (step_y - 1) / 2 * lookup.scale[1] + lookup.offset[1]],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    veil = cv2.warpAffine(lookup.image, place, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    share = (1 - alpha) * haze
    veil *= share[..., None]
    return (veil if colour is None else colour + veil), alpha + share


def _rotation(pose: Pose) -> NDArray[np.float64]:
    """Return the matrix that turns plate axes into camera axes (x right, y down: clockwise)."""
    angle = math.radians(pose.angle_deg)
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def _texture(drops: Drops, optics: Optics, per_mm: float) -> Light:
    """Return deflection t (x, y, as tan), T a and a on the plate's grid, float32 (h, w, 4)."""
    field = field_of(drops, per_mm)
    texture = np.zeros((*field.alpha.shape, 4), np.float32)
    wet = (field.alpha > 0) | (field.slope != 0).any(axis=2)
    slope = field.slope[wet]
    steep = np.maximum(np.hypot(slope[:, 0], slope[:, 1]), 1e-6)
    bent = deflection(steep, optics.water_index, optics.wet_side)
    texture[wet, :2] = slope * (bent / steep)[:, None]
    texture[wet, 2] = transmission(steep, optics.water_index, optics.wet_side) * field.alpha[wet]
    texture[wet, 3] = field.alpha[wet]
    return texture


def _reduction(drops: Drops, optics: Optics, cell: int) -> int:
    """Return the scene's reduction for lookups: a power of 2 that is neither aliased nor seen.

    A cap minifies the scene throw (n - 1) sin(contact) / (radius * px per mm) times, so one step of the layer skips
    that many pixels; and a large, flat drop must not show the reduction beyond its own defocus.
    """
    if not len(drops):
        return 4
    steepness = np.sin(np.radians(drops.contact_deg)) / drops.radius_mm
    minified = optics.throw_px * (optics.water_index - 1) * steepness / optics.px_per_mm_glass
    typical = np.average(minified, weights=drops.radius_mm**2)
    finest = float(minified.min()) * max(1.0, optics.blur_px / 3)
    wanted = max(1.0, min(cell * typical / 2, 2 * finest, optics.width_px / 16))
    return 2 ** int(math.log2(wanted))
