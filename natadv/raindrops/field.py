"""Field: the slopes of the water on a plate, from the outlines of its drops.

Outlines that touch flow into one (a smooth minimum of their distance fields), and inside an outline
surface tension keeps the pressure even. With u = 0 on the contact line and the linearised Young-Laplace equation

    laplace u = -4 (1 + b y / a),    h = sqrt(u + k^2) - k,    k = a / tan(contact angle),

the height h is exactly a spherical cap on a circle of radius a (u = a^2 - r^2) and a smooth surface with the
same mean contact angle on any other outline, where a is its hydraulic radius 2 area / perimeter. b is the
pull of gravity along the plate over that of surface tension: hydrostatic pressure grows by y / l^2 where
the cap's own is 2 sin(contact) / a, l = 2.7 mm being water's capillary length (de Gennes et al. 2004,
Capillarity and Wetting Phenomena, Ch. 2).
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.raindrops.drops import HARMONICS, Drops

Array = NDArray[np.float32]

CAPILLARY_LENGTH_MM = 2.7
_BLEND = 0.3  # reach of the smooth minimum, in radii: the width of the neck between two drops that touch
_MARGIN = 3  # texels around an outline in which the surface is continued, for its derivative on the line
_FAR = 1e3


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """The water's surface on the plate's own grid.

    Texel (i, j) lies at ((i + 0.5) / per_mm - width / 2, (j + 0.5) / per_mm - height / 2) mm from the plate's middle.

    Attributes:
        slope: gradient of the water's thickness, x and y, float32 (h, w, 2); 0 where it is dry.
        alpha: share of each texel that drops cover, float32 (h, w).
        per_mm: texels per millimetre.
    """

    slope: Array
    alpha: Array
    per_mm: float


def field_of(drops: Drops, per_mm: float) -> Field:
    """Return the surface of these drops at this many texels per mm.

    Raises:
        ValueError: if `per_mm` is not positive.
    """
    if not (math.isfinite(per_mm) and per_mm > 0):
        raise ValueError(f"expected per_mm > 0, got {per_mm}")
    width, height = (max(8, round(side * per_mm)) for side in drops.plate_mm)
    distance = np.full((height, width), _FAR, np.float32)
    for i in np.argsort(-drops.radius_mm, kind="stable"):
        patch = _patch(drops, int(i), per_mm, (height, width))
        if patch is not None:
            rows, columns, _, away = patch
            blend = _BLEND * float(drops.radius_mm[i])
            distance[rows, columns] = _smooth_minimum(distance[rows, columns], away, blend)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(
        (distance < 0).astype(np.uint8), connectivity=4
    )
    slope = np.zeros((height, width, 2), np.float32)
    members = _members(drops, labels, per_mm, count)
    for label in range(1, count):
        _write_slope(slope, drops, members[label], label, labels, boxes[label], distance, per_mm)
    return Field(slope, np.clip(0.5 - distance * per_mm, 0, 1), per_mm)


def _patch(
    drops: Drops, i: int, per_mm: float, shape: tuple[int, int]
) -> tuple[slice, slice, NDArray[np.complex64], Array] | None:
    """Return rows and columns around a drop, the offsets from its middle (mm, x + iy) and its distance field."""
    x, y, radius = float(drops.x_mm[i]), float(drops.y_mm[i]), float(drops.radius_mm[i])
    reach = radius * (1.15 + float(np.abs(drops.ragged[i]).sum())) + _MARGIN / per_mm
    left, top = x + drops.plate_mm[0] / 2, y + drops.plate_mm[1] / 2
    x0, x1 = max(0, math.floor((left - reach) * per_mm)), min(shape[1], math.ceil((left + reach) * per_mm))
    y0, y1 = max(0, math.floor((top - reach) * per_mm)), min(shape[0], math.ceil((top + reach) * per_mm))
    if x0 >= x1 or y0 >= y1:
        return None
    dx = (np.arange(x0, x1, dtype=np.float32) + 0.5) / per_mm - left
    dy = (np.arange(y0, y1, dtype=np.float32) + 0.5) / per_mm - top
    offset = dx[None, :] + 1j * dy[:, None]
    r = np.abs(offset) + 1e-9
    return (
        slice(y0, y1),
        slice(x0, x1),
        offset,
        (r / _outline(drops, i, offset / r) - radius).astype(np.float32),
    )


def _outline(drops: Drops, i: int, direction: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Return the contact line's distance from the middle, in radii, for each direction (unit x + iy)."""
    waves = sum(drops.ragged[i, j] * direction**order for j, order in enumerate(HARMONICS))
    return np.maximum(1 + np.real(waves), 0.3)


def _smooth_minimum(a: Array, b: Array, blend: float) -> Array:
    """Return min(a, b), lowered by up to blend / 4 where they are within `blend` of each other."""
    near = np.maximum(blend - np.abs(a - b), 0) / blend
    return np.minimum(a, b) - near * near * (blend / 4)


def _members(drops: Drops, labels: NDArray[np.int32], per_mm: float, count: int) -> list[list[int]]:
    """Return the drops that each outline holds; a drop too small for the grid is in none."""
    height, width = labels.shape
    columns = np.clip(((drops.x_mm + drops.plate_mm[0] / 2) * per_mm).astype(int), 0, width - 1)
    rows = np.clip(((drops.y_mm + drops.plate_mm[1] / 2) * per_mm).astype(int), 0, height - 1)
    members: list[list[int]] = [[] for _ in range(count)]
    for i, label in enumerate(labels[rows, columns]):
        members[label].append(i)
    return members


def _write_slope(
    slope: Array, drops: Drops, held: list[int], label: int, labels: NDArray[np.int32], box: NDArray[np.int32],
    distance: Array, per_mm: float,
) -> None:  # fmt: skip
    """Write the slopes inside one outline."""
    height, width = labels.shape
    x0, y0 = max(0, box[0] - _MARGIN), max(0, box[1] - _MARGIN)
    x1, y1 = min(width, box[0] + box[2] + _MARGIN), min(height, box[1] + box[3] + _MARGIN)
    if not held or min(x1 - x0, y1 - y0) < 3:
        return
    rows, columns = slice(y0, y1), slice(x0, x1)
    inside = labels[rows, columns] == label
    away = distance[rows, columns]
    weight = drops.radius_mm[held] ** 2
    contact = float((drops.contact_deg[held] * weight).sum() / weight.sum())
    if len(held) == 1:
        u, hydraulic = _one_drop(drops, held[0], (x0, y0, x1, y1), per_mm, contact)
    else:
        u, hydraulic = _merged(inside, away, per_mm, contact)
    k = hydraulic / math.tan(math.radians(contact))
    scale = per_mm / 8 / (2 * np.sqrt(np.maximum(u + k * k, (0.2 * k) ** 2)))
    wet = inside | ((away < 1.0 / per_mm) & (labels[rows, columns] == 0))
    patch = slope[rows, columns]
    patch[wet, 0] = (cv2.Sobel(u, cv2.CV_32F, 1, 0, ksize=3, borderType=cv2.BORDER_REPLICATE) * scale)[wet]
    patch[wet, 1] = (cv2.Sobel(u, cv2.CV_32F, 0, 1, ksize=3, borderType=cv2.BORDER_REPLICATE) * scale)[wet]


def _gravity(radius_mm: float, contact_deg: float) -> float:
    """Return b of the module's equation; 1 at most, where the drop would start to run."""
    sine = math.sin(math.radians(contact_deg))
    return min(1.0, radius_mm**2 / (2 * CAPILLARY_LENGTH_MM**2 * sine))


def _one_drop(
    drops: Drops, i: int, box: tuple[int, int, int, int], per_mm: float, contact_deg: float
) -> tuple[Array, float]:
    """Return u in closed form, (a^2 - r^2) (1 + b y / 2a) with r scaled to the ragged contact line, and a."""
    x0, y0, x1, y1 = box
    radius = float(drops.radius_mm[i])
    dx = (np.arange(x0, x1, dtype=np.float32) + 0.5) / per_mm - (float(drops.x_mm[i]) + drops.plate_mm[0] / 2)
    dy = (np.arange(y0, y1, dtype=np.float32) + 0.5) / per_mm - (float(drops.y_mm[i]) + drops.plate_mm[1] / 2)
    offset = dx[None, :] + 1j * dy[:, None]
    r = np.abs(offset) + 1e-9
    u = radius**2 - (r / _outline(drops, i, offset / r)) ** 2
    return (u * (1 + _gravity(radius, contact_deg) * dy[:, None] / (2 * radius))).astype(np.float32), radius


def _merged(inside: NDArray[np.bool_], away: Array, per_mm: float, contact_deg: float) -> tuple[Array, float]:
    """Return u by relaxation on the grid, continued outside the outline, and the hydraulic radius."""
    contours, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    # A chain of pixel steps is about 5 % longer than the smooth line it follows.
    perimeter = max(sum(cv2.arcLength(line, True) for line in contours) / 1.05, 4.0) / per_mm
    hydraulic = 2 * float(inside.sum()) / per_mm**2 / perimeter
    rows = np.arange(inside.shape[0], dtype=np.float32)[:, None] / per_mm
    y = rows - float((rows * inside).sum() / inside.sum())
    pull = np.clip(1 + _gravity(hydraulic, contact_deg) * y / hydraulic, 0.2, 3)
    u = _relaxed(inside.astype(np.float32), (4 * pull * np.ones_like(away)).astype(np.float32), 1 / per_mm)
    return np.where(inside, u, -2 * hydraulic * np.maximum(away, 0)).astype(np.float32), hydraulic


_CROSS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4


def _relaxed(mask: Array, source: Array, pitch_mm: float) -> Array:
    """Solve laplace u = -source inside the mask, u = 0 outside: Jacobi steps, from coarse grids to fine ones."""
    height, width = mask.shape
    if min(height, width) > 16:
        half = (width // 2, height // 2)
        coarse = cv2.resize(mask, half, interpolation=cv2.INTER_AREA)
        start = _relaxed(
            (coarse > 0.5).astype(np.float32),
            cv2.resize(source, half, interpolation=cv2.INTER_AREA),
            2 * pitch_mm,
        )
        u, steps = cv2.resize(start, (width, height), interpolation=cv2.INTER_LINEAR) * mask, 25
    else:
        u, steps = np.zeros_like(mask), 80
    gain = source * mask * (pitch_mm**2 / 4)
    for _ in range(steps):
        u = cv2.filter2D(u, -1, _CROSS, borderType=cv2.BORDER_CONSTANT)
        cv2.multiply(u, mask, dst=u)
        cv2.add(u, gain, dst=u)
    return u
