"""DropLayer: the drops on a plate as a camera with a pinhole would see them, without the plate around them.

What the layer shows at q is T a scene(q + throw R t) + a G: the scene where the drop throws the ray, dimmed by
Fresnel's transmission T, and the lamp's glint G, both where there is a drop (opacity a).
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.raindrops.drops import Drops
from natadv.raindrops.field import field_of
from natadv.raindrops.glint import glint_of
from natadv.raindrops.optics import Optics
from natadv.raindrops.plate import Grid, rotation, texel_map
from natadv.raindrops.pose import Pose
from natadv.raindrops.refraction import deflection, transmission
from natadv.raindrops.scene import Light, Lookup

_ROW = 512  # points in a row of the list of wet points; OpenCV takes no rows beyond 32767


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
        self._alpha = np.ascontiguousarray(self.texture[..., 3])

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
        alpha = cv2.warpAffine(self._alpha, warp, (grid.width, grid.height), flags=flags)
        colour = np.zeros((grid.height, grid.width, 3), np.float32)
        # Most of a plate is dry, so the rest is done for a list of the wet points, folded to rows for OpenCV.
        wet = np.flatnonzero(alpha > 0)
        if wet.size:
            folded = np.resize(wet, (-(-wet.size // _ROW), _ROW))
            y, x = (part.astype(np.float32) for part in np.divmod(folded, grid.width))
            colour.reshape(-1, 3)[wet] = self._seen(lookup, pose, grid, eye, warp, x, y).reshape(-1, 3)[: wet.size]
        return colour, alpha

    def _seen(
        self,
        lookup: Lookup,
        pose: Pose,
        grid: Grid,
        eye: tuple[float, float],
        warp: NDArray[np.float64],
        x: Light,
        y: Light,
    ) -> Light:
        """Return the premultiplied light at the grid points (x, y), each (h, w), as (h, w, 3)."""
        texel_x, texel_y = (cv2.addWeighted(x, row[0], y, row[1], row[2]) for row in warp)
        here = cv2.remap(self.texture, texel_x, texel_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        bend_x, bend_y, passed, alpha = cv2.split(here)
        turn = rotation(pose)
        across = cv2.addWeighted(bend_x, turn[0, 0], bend_y, turn[0, 1], 0)
        down = cv2.addWeighted(bend_x, turn[1, 0], bend_y, turn[1, 1], 0)
        throw = self._optics.throw_px
        at_x, at_y = (
            cv2.addWeighted(
                place,
                grid.cell * scale,
                bent,
                throw * scale,
                (first + aside) * scale + offset,
            )
            for place, bent, scale, offset, first, aside in zip(
                (x, y), (across, down), lookup.scale, lookup.offset, grid.first, eye, strict=True
            )
        )
        light = cv2.remap(lookup.image, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        cv2.multiply(light, cv2.merge([passed] * 3), dst=light)
        if self._glint is not None:
            glint = cv2.multiply(self._glint.at(across, down), alpha)
            cv2.add(light, cv2.merge([glint] * 3), dst=light)
        return light


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
