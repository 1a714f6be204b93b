"""Field: the slopes of the water on a plate, from the outlines of its drops.

Outlines that touch flow into one (a smooth minimum of their distance fields), and inside an outline
surface tension keeps the pressure even. With u = 0 on the contact line and the linearised Young-Laplace
equation

    laplace u = -4 (1 + b y / a),    h = sqrt(u + k^2) - k,    k = a / tan(contact angle),

the height h is exactly a spherical cap on a circle of radius a (u = a^2 - r^2) and a smooth surface with about
the same mean contact angle on any other outline, a being its hydraulic radius 2 area / perimeter, or the
radius of its widest part where that is larger. b is the pull of gravity along the plate over that of surface
tension: hydrostatic pressure grows by y / l^2 where the cap's own is 2 sin(contact) / a, l = 2.7 mm being
water's capillary length (de Gennes et al. 2004, Capillarity and Wetting Phenomena, Ch. 2).
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.raindrops.drops import HARMONICS, Drops

Array = NDArray[np.float32]

CAPILLARY_LENGTH_MM = 2.7
_BLEND = 0.4  # reach of the smooth minimum, in radii: the width of the neck between two drops that touch
_MARGIN = 3  # texels around an outline in which the surface is continued, for its derivative on the line
_FAR = 1e3


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """The water's surface on the plate's own grid.

    Column i lies (i + 0.5) / per_mm - width / 2 mm to the right of the plate's middle, rows alike.

    Attributes:
        slope: gradient of the water's thickness, x and y, float32 (h, w, 2); 0 where it is dry.
        alpha: share of each texel that drops cover, float32 (h, w).
        per_mm: texels per millimetre.
    """

    slope: Array
    alpha: Array
    per_mm: float


@dataclass(frozen=True, slots=True)
class _Box:
    """A rectangle of texels, and where they are from the plate's top left corner (mm)."""

    x0: int
    y0: int
    x1: int
    y1: int
    per_mm: float

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def offsets(self, x_mm: float, y_mm: float) -> NDArray[np.complex64]:
        """Return the texels' positions from a point, as x + iy in mm."""
        x = (np.arange(self.x0, self.x1, dtype=np.float32) + 0.5) / self.per_mm - x_mm
        y = (np.arange(self.y0, self.y1, dtype=np.float32) + 0.5) / self.per_mm - y_mm
        return (x[None, :] + 1j * y[:, None]).astype(np.complex64)


def field_of(drops: Drops, per_mm: float) -> Field:
    """Return the surface of these drops at this many texels per mm.

    Raises:
        ValueError: if `per_mm` is not positive.
    """
    if not (math.isfinite(per_mm) and per_mm > 0):
        raise ValueError(f"expected per_mm > 0, got {per_mm}")
    width, height = (max(8, round(side * per_mm)) for side in drops.plate_mm)
    distance = _distances(drops, per_mm, (height, width))
    wet = (distance < 0).astype(np.uint8)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(wet, connectivity=4)
    members = _members(drops, labels, per_mm, count)
    slope = np.zeros((height, width, 2), np.float32)
    for label in range(1, count):
        x, y, w, h = (int(v) for v in boxes[label, :4])
        x1, y1 = min(width, x + w + _MARGIN), min(height, y + h + _MARGIN)
        box = _Box(max(0, x - _MARGIN), max(0, y - _MARGIN), x1, y1, per_mm)
        if members[label] and min(box.x1 - box.x0, box.y1 - box.y0) >= 3:
            inside = labels[box.slices] == label
            away = distance[box.slices]
            # One texel beyond the contact line too: the surface goes on there for its derivative.
            written = inside | ((away < 1 / per_mm) & (labels[box.slices] == 0))
            slope[box.slices][written] = _slopes(drops, members[label], box, inside, away)[written]
    return Field(slope, np.clip(0.5 - distance * per_mm, 0, 1), per_mm)


def _distances(drops: Drops, per_mm: float, shape: tuple[int, int]) -> Array:
    """Return the distance from the drops' common outline, mm, below 0 inside; exact only near it."""
    distance = np.full(shape, _FAR, np.float32)
    for i in np.argsort(-drops.radius_mm, kind="stable"):
        x, y, radius = _place(drops, i)
        reach = radius * (1.3 + float(np.abs(drops.ragged[i]).sum())) + _MARGIN / per_mm
        box = _Box(
            max(0, math.floor((x - reach) * per_mm)),
            max(0, math.floor((y - reach) * per_mm)),
            min(shape[1], math.ceil((x + reach) * per_mm)),
            min(shape[0], math.ceil((y + reach) * per_mm)),
            per_mm,
        )
        if box.x0 < box.x1 and box.y0 < box.y1:
            away = _round_distance(drops, i, box.offsets(x, y)) - radius
            distance[box.slices] = _smooth_minimum(distance[box.slices], away, _BLEND * radius)
    return distance


def _place(drops: Drops, i: int) -> tuple[float, float, float]:
    """Return a drop's middle from the plate's top left corner, and its radius, mm."""
    x, y = float(drops.x_mm[i]) + drops.plate_mm[0] / 2, float(drops.y_mm[i]) + drops.plate_mm[1] / 2
    return x, y, float(drops.radius_mm[i])


def _round_distance(drops: Drops, i: int, offset: NDArray[np.complex64]) -> Array:
    """Return the distance from a drop's middle, scaled so that its ragged contact line is a circle."""
    r = np.abs(offset) + 1e-6
    direction = offset / r
    waves = sum(drops.ragged[i, j] * direction**order for j, order in enumerate(HARMONICS))
    return (r / np.maximum(1 + np.real(waves), 0.3)).astype(np.float32)


def _smooth_minimum(a: Array, b: Array, blend: float) -> Array:
    """Return min(a, b), lowered by up to blend / 4 where they are within `blend` of each other."""
    near = np.maximum(blend - np.abs(a - b), 0) / blend
    return np.minimum(a, b) - near * near * (blend / 4)


def _members(drops: Drops, labels: NDArray[np.int32], per_mm: float, count: int) -> list[list[int]]:
    """Return the drops that each outline holds; a drop too small for the grid is in none (label 0)."""
    height, width = labels.shape
    columns = np.clip(((drops.x_mm + drops.plate_mm[0] / 2) * per_mm).astype(int), 0, width - 1)
    rows = np.clip(((drops.y_mm + drops.plate_mm[1] / 2) * per_mm).astype(int), 0, height - 1)
    members: list[list[int]] = [[] for _ in range(count)]
    for i, label in enumerate(labels[rows, columns]):
        members[label].append(i)
    return members


def _slopes(drops: Drops, held: list[int], box: _Box, inside: NDArray[np.bool_], away: Array) -> Array:
    """Return grad h = grad u / (2 sqrt(u + k^2)) of the water in one outline, (h, w, 2)."""
    weight = drops.radius_mm[held] ** 2
    contact = math.radians(float((drops.contact_deg[held] * weight).sum() / weight.sum()))
    surface = _one_drop(drops, held[0], box, contact) if len(held) == 1 else _merged(inside, away, box, contact)
    u, size = surface
    k = size / math.tan(contact)
    # The floor keeps a steep drop's surface finite just outside its contact line.
    scale = box.per_mm / 8 / (2 * np.sqrt(np.maximum(u + k * k, (0.2 * k) ** 2)))
    across, down = (cv2.Sobel(u, cv2.CV_32F, 1 - y, y, ksize=3, borderType=cv2.BORDER_REPLICATE) for y in (0, 1))
    return np.dstack([across * scale, down * scale])


def _gravity(radius_mm: float, contact: float) -> float:
    """Return b of the module's equation; 0.7 at most, where the drop would start to run."""
    return min(0.7, radius_mm**2 / (2 * CAPILLARY_LENGTH_MM**2 * math.sin(contact)))


def _one_drop(drops: Drops, i: int, box: _Box, contact: float) -> tuple[Array, float]:
    """Return u in closed form, (a^2 - r^2) (1 + b y / 2a), r scaled to the ragged contact line, and a."""
    x, y, radius = _place(drops, i)
    offset = box.offsets(x, y)
    u = radius**2 - _round_distance(drops, i, offset) ** 2
    return u * (1 + _gravity(radius, contact) * np.imag(offset) / (2 * radius)), radius


def _merged(inside: NDArray[np.bool_], away: Array, box: _Box, contact: float) -> tuple[Array, float]:
    """Return u by relaxation, continued outside the outline at its mean slope 2a, and a."""
    lines, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    # A chain of pixel steps is about 5 % longer than the smooth line it follows.
    perimeter_mm = max(sum(cv2.arcLength(line, True) for line in lines) / 1.05, 4.0) / box.per_mm
    hydraulic = 2 * float(inside.sum()) / box.per_mm**2 / perimeter_mm
    y = np.imag(box.offsets(0, 0))
    y = y - float(y[inside].mean())
    source = 4 * np.clip(1 + _gravity(hydraulic, contact) * y / hydraulic, 0.2, 3).astype(np.float32)
    u = _relaxed(inside.astype(np.float32), source, 1 / box.per_mm)
    # The widest part of a chain of drops must not be steeper than a drop of its own.
    size = max(hydraulic, math.sqrt(float(u.max())))
    return np.where(inside, u, -2 * hydraulic * np.maximum(away, 0)).astype(np.float32), size


_CROSS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4


def _relaxed(mask: Array, source: Array, pitch_mm: float) -> Array:
    """Solve laplace u = -source inside the mask, u = 0 outside: Jacobi steps, coarse grids first."""
    height, width = mask.shape
    if min(height, width) > 16:
        half = (width // 2, height // 2)
        coarse = (cv2.resize(mask, half, interpolation=cv2.INTER_AREA) > 0.5).astype(np.float32)
        start = _relaxed(coarse, cv2.resize(source, half, interpolation=cv2.INTER_AREA), 2 * pitch_mm)
        u, steps = cv2.resize(start, (width, height), interpolation=cv2.INTER_LINEAR) * mask, 25
    else:
        u, steps = np.zeros_like(mask), 80
    gain = source * mask * (pitch_mm**2 / 4)
    for _ in range(steps):
        u = cv2.filter2D(u, -1, _CROSS, borderType=cv2.BORDER_CONSTANT)
        cv2.multiply(u, mask, dst=u)
        cv2.add(u, gain, dst=u)
    return u
