"""Plate coordinates: from the camera's pixels to the texels of a plate that has been moved and turned.

The plate turns about its own middle, which the pose puts at (x, y) from the camera's axis. So the plate's
point P appears at the camera pixel centre + px_per_mm * (R(angle) P + (x, y)).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from natadv.raindrops.optics import Optics
from natadv.raindrops.pose import Pose


@dataclass(frozen=True, slots=True)
class Grid:
    """Points of the camera's picture at which a layer is computed.

    Attributes:
        height: rows.
        width: columns.
        cell: camera pixels from one point to the next, each way.
        first: camera pixel (x, y) of point (0, 0); integers are pixel centres.
    """

    height: int
    width: int
    cell: int = 1
    first: tuple[float, float] = (0.0, 0.0)


def grid_over(optics: Optics, cell: int, margin: int = 0) -> Grid:
    """Return the grid of the centres of `cell` x `cell` blocks that covers the picture, `margin` blocks more."""
    first = (cell - 1) / 2 - margin * cell
    height, width = math.ceil(optics.height_px / cell), math.ceil(optics.width_px / cell)
    return Grid(height + 2 * margin, width + 2 * margin, cell, (first, first))


def rotation(pose: Pose) -> NDArray[np.float64]:
    """Return the matrix, (2, 2), from plate axes to camera axes (x right, y down, so clockwise)."""
    angle = math.radians(pose.angle_deg)
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def texel_map(
    optics: Optics, plate_mm: tuple[float, float], pose: Pose, grid: Grid, *, per_mm: float
) -> NDArray[np.float64]:
    """Return the affine map, (2, 3), from grid points to texels of a plate texture of `per_mm` texels per mm."""
    back = rotation(pose).T / optics.px_per_mm_glass
    middle = np.array([(optics.width_px - 1) / 2, (optics.height_px - 1) / 2])
    shift = np.array([pose.x_mm, pose.y_mm]) * optics.px_per_mm_glass
    origin = back @ (np.array(grid.first) - middle - shift)
    texel = (origin + np.array(plate_mm) / 2) * per_mm - 0.5
    return np.column_stack([back * grid.cell * per_mm, texel])
