"""Random trajectories: where a stage carries the plate while it is filmed, from a seed; and how much they cover."""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from natadv.raindrops.pose import Pose

WAYPOINTS_A_SECOND = 32
"""More than any stage can visit, however small its travel."""

COVERED = 0.9
"""Share of the disc's cells, and of the sectors of angles, from which on a range counts as covered."""

_KNOTS_A_SECOND = 16
_STEPS = 6  # from one knot of a smooth path to the next
_CELLS = 8  # of the disc, in each direction
_SECTORS = 12  # of the angles


def random_path(generator: np.random.Generator, travel_mm: float, travel_deg: float, seconds: float) -> list[Pose]:
    """Return poses for the plate to visit, the first being where it waits for the clip to begin.

    Positions are uniform over a disc and angles over the stage's travel, so that in five seconds every part of
    the plate comes before the picture in some orientation (the paper moves and turns it by hand; AdvRD, Sec. 3.1).

    Args:
        generator: source of chance.
        travel_mm: radius of the disc.
        travel_deg: largest rotation to either side.
        seconds: the plate moves for at least so long; a longer path begins with the shorter one.
    """
    path: list[Pose] = []
    for _ in range(max(1, math.ceil(seconds))):
        path += _places(generator, travel_mm, travel_deg, WAYPOINTS_A_SECOND)
    return path


def smooth_path(generator: np.random.Generator, travel_mm: float, travel_deg: float, seconds: float) -> list[Pose]:
    """Return the same as `random_path`, along a smooth curve through such places, in short steps.

    The curve is a Catmull-Rom spline in x, y and angle: its direction nowhere jumps, so that a stage whose controller
    looks ahead need not stop on the way; one that stops at each pose rides `random_path`, as it gets through few steps
    of this in a clip. Where it would leave the disc, or the angles, it keeps to their edge.
    """
    knots: list[Pose] = []
    # Two more than are passed: the first gives the direction to begin with, the last the one to end with.
    for second in range(max(1, math.ceil(seconds))):
        knots += _places(generator, travel_mm, travel_deg, _KNOTS_A_SECOND + 3 * (second == 0))
    points = np.array([(knot.x_mm, knot.y_mm, knot.angle_deg) for knot in knots])
    share = np.linspace(0, 1, _STEPS, endpoint=False)[:, None]
    curve = np.concatenate([_spline(points[number : number + 4], share) for number in range(len(points) - 3)])
    radius = np.hypot(curve[:, 0], curve[:, 1])
    curve[:, :2] *= np.minimum(1, travel_mm / np.maximum(radius, 1e-9))[:, None]
    curve[:, 2] = np.clip(curve[:, 2], -travel_deg, travel_deg)
    return [Pose(float(x), float(y), float(angle)) for x, y, angle in curve]


def covered(poses: Iterable[Pose], travel_mm: float, travel_deg: float) -> tuple[float, float]:
    """Return the shares, 0..1, of the disc and of the angles that poses have come to.

    Args:
        poses: where the plate was in the frames.
        travel_mm: radius of the disc; it is cut into cells of an eighth of its width.
        travel_deg: largest rotation to either side; the angles are cut into twelve sectors.
    """
    middles = (np.arange(_CELLS) + 0.5) / _CELLS * 2 - 1
    inside = np.hypot(*np.meshgrid(middles, middles)) <= 1
    seen = np.zeros((_CELLS, _CELLS), bool)
    sectors = np.zeros(_SECTORS, bool)
    for pose in poses:
        seen[_cell(pose.y_mm / travel_mm, _CELLS), _cell(pose.x_mm / travel_mm, _CELLS)] = True
        sectors[_cell(pose.angle_deg / travel_deg, _SECTORS)] = True
    return float(seen[inside].mean()), float(sectors.mean())


def _places(generator: np.random.Generator, travel_mm: float, travel_deg: float, count: int) -> list[Pose]:
    """Return poses, positions uniform over the disc and angles over the travel."""
    radius_mm = travel_mm * np.sqrt(generator.random(count))
    heading = generator.uniform(0, 2 * math.pi, count)
    angle_deg = generator.uniform(-travel_deg, travel_deg, count)
    return [
        Pose(float(r * math.cos(h)), float(r * math.sin(h)), float(a))
        for r, h, a in zip(radius_mm, heading, angle_deg, strict=True)
    ]


def _spline(knots: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points of a Catmull-Rom spline from the second of four knots to the third, one a row of `share`, 0..1."""
    before, start, end, after = knots
    curve: NDArray[np.float64] = 0.5 * (
        2 * start
        + (end - before) * share
        + (2 * before - 5 * start + 4 * end - after) * share**2
        + (3 * start - before - 3 * end + after) * share**3
    )
    return curve


def _cell(place: float, cells: int) -> int:
    """Return the cell of a place, -1..1."""
    return min(cells - 1, max(0, int((place + 1) / 2 * cells)))
