"""DropLayer: the drops on a plate as a camera with a pinhole would see them, without the plate around them.

What the layer shows at q is T a scene(q + throw R t) + a G: the scene where the drop throws the ray, dimmed by
Fresnel's transmission T, and the lamp's glint G, both where there is a drop (opacity a).
"""

import math

import cv2
import numpy as np

from natadv.raindrops.drops import Drops
from natadv.raindrops.field import field_of
from natadv.raindrops.glint import glint_of
from natadv.raindrops.optics import Optics
from natadv.raindrops.plate import Grid, rotation, texel_map
from natadv.raindrops.pose import Pose
from natadv.raindrops.refraction import deflection, transmission
from natadv.raindrops.scene import Light, Lookup


class DropLayer:
    """Drops, refracting; their texture is built once, a pose only looks it up.

    Attributes:
        texture: deflection t in plate axes (x, y, as tan of the angle), T a, and a; float32 (h, w, 4).
        per_mm: its texels per mm.
    """

    def __init__(self, drops: Drops, optics: Optics, per_mm: float) -> None:
        self._optics, self._plate_mm = optics, drops.plate_mm
        self.texture, self.per_mm = _texture(drops, optics, per_mm), per_mm
        self._glint = glint_of(optics.lamp, optics.water_index, optics.wet_side) if optics.lamp else None
        self._starts: dict[object, tuple[Light, Light]] = {}

    def at(
        self, lookup: Lookup, pose: Pose, grid: Grid, *, eye: tuple[float, float] = (0.0, 0.0)
    ) -> tuple[Light, Light]:
        """Return the sharp layer on a grid: premultiplied light, float32 (h, w, 3), and opacity, (h, w).

        Args:
            lookup: the copy of the scene in which rays are looked up.
            pose: of the plate.
            grid: where rays meet the plate.
            eye: where the same rays, not deflected, meet the screen: camera pixels from the grid point.
        """
        warp = texel_map(self._optics, self._plate_mm, pose, grid, per_mm=self.per_mm)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        here = cv2.warpAffine(self.texture, warp, (grid.width, grid.height), flags=flags)
        bend_x, bend_y, passed, alpha = cv2.split(here)
        turn = rotation(pose)
        across = cv2.addWeighted(bend_x, turn[0, 0], bend_y, turn[0, 1], 0)
        down = cv2.addWeighted(bend_x, turn[1, 0], bend_y, turn[1, 1], 0)
        start_x, start_y = self._start(lookup, grid, eye)
        at_x = cv2.scaleAdd(across, self._optics.throw_px * lookup.scale[0], start_x)
        at_y = cv2.scaleAdd(down, self._optics.throw_px * lookup.scale[1], start_y)
        colour = cv2.remap(lookup.image, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        cv2.multiply(colour, cv2.merge([passed] * 3), dst=colour)
        if self._glint is not None:
            light = cv2.multiply(self._glint.at(across, down), alpha)
            cv2.add(colour, cv2.merge([light] * 3), dst=colour)
        return colour, alpha

    def _start(self, lookup: Lookup, grid: Grid, eye: tuple[float, float]) -> tuple[Light, Light]:
        """Return where rays that are not deflected are in the lookup, x and y, each (h, w); the last is kept."""
        key = (lookup.scale, lookup.offset, grid, eye)
        if key not in self._starts:
            x, y = (
                (np.arange(n) * grid.cell + grid.first[axis] + eye[axis]) * lookup.scale[axis] + lookup.offset[axis]
                for axis, n in enumerate((grid.width, grid.height))
            )
            self._starts = {key: tuple(np.meshgrid(x.astype(np.float32), y.astype(np.float32)))}
        return self._starts[key]


def _texture(drops: Drops, optics: Optics, per_mm: float) -> Light:
    field = field_of(drops, per_mm)
    texture = np.zeros((*field.alpha.shape, 4), np.float32)
    # Slopes reach one texel beyond the drops, so that interpolation at the rim does not halve them.
    wet = (field.alpha > 0) | (field.slope != 0).any(axis=2)
    slope = field.slope[wet]
    steep = np.maximum(np.hypot(slope[:, 0], slope[:, 1]), 1e-6)
    bent = deflection(steep, optics.water_index, optics.wet_side)
    texture[wet, :2] = slope * (bent / steep)[:, None]
    texture[wet, 2] = transmission(steep, optics.water_index, optics.wet_side) * field.alpha[wet]
    texture[wet, 3] = field.alpha[wet]
    return texture


def lookup_reduction(drops: Drops, optics: Optics, cell: int) -> int:
    """Return how far to reduce the scene for lookups: a power of 2 that neither aliases nor shows.

    A cap minifies the scene throw (n - 1) sin(contact) / (radius * px per mm) times, so one step of the layer
    skips that many pixels; and a large, flat drop must not show the reduction beyond its own defocus.
    """
    if not len(drops):
        return 1
    curvature = np.sin(np.radians(drops.contact_deg)) / drops.radius_mm
    minified = optics.throw_px * (optics.water_index - 1) * curvature / optics.px_per_mm_glass
    typical = float(np.average(minified, weights=drops.radius_mm**2))
    unseen = 2 * float(minified.min()) * max(1.0, optics.blur_px / 3)
    wanted = max(1.0, min(cell * typical / 2, unseen, optics.width_px / 16))
    return 2 ** int(math.log2(wanted))
