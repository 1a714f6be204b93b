"""How a stage whose controller looks ahead rides through a path without stopping at each pose.

Speeds are shares of the full one: at 1, the axis that is the slowest for its way moves at its limit. Where two straight
moves meet, the plate passes at the speed at which no axis changes its own by more than its acceleration makes in
`corner_s`; that and the accelerations bound the speeds at all corners, forwards and backwards, as in grbl's planner.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from natadv.raindrops.pose import Pose
from rigs.stage.profile import Limits

_STILL = 1e-9


@dataclass(frozen=True, slots=True)
class Leg:
    """A straight move that begins and ends at some speed.

    Attributes:
        start: pose at the beginning.
        end: pose at the end.
        full_s: how long it takes at full speed.
        enters: speed at the beginning, 0..1; `tops` the highest, `leaves` that at the end.
        gains: speed gained in a second.
    """

    start: Pose
    end: Pose
    full_s: float
    enters: float
    tops: float
    leaves: float
    gains: float

    @property
    def duration_s(self) -> float:
        """Time of the whole move."""
        rise_s, fall_s = (self.tops - self.enters) / self.gains, (self.tops - self.leaves) / self.gains
        ridden = (self.tops**2 - self.enters**2 + self.tops**2 - self.leaves**2) / (2 * self.gains)
        return rise_s + fall_s + max(0.0, self.full_s - ridden) / self.tops

    def pose_at(self, time_s: float) -> Pose:
        """Return the pose `time_s` seconds after the beginning; before and after it the plate is at its ends."""
        left_s = self.duration_s - time_s
        if time_s <= 0:
            return self.start
        if left_s <= 0:
            return self.end
        rise_s, fall_s = (self.tops - self.enters) / self.gains, (self.tops - self.leaves) / self.gains
        if time_s < rise_s:
            ridden = self.enters * time_s + self.gains * time_s**2 / 2
        elif left_s < fall_s:
            ridden = self.full_s - self.leaves * left_s - self.gains * left_s**2 / 2
        else:
            ridden = (self.enters + self.tops) / 2 * rise_s + self.tops * (time_s - rise_s)
        share, a, b = min(1.0, ridden / self.full_s), self.start, self.end
        return Pose(
            a.x_mm + share * (b.x_mm - a.x_mm),
            a.y_mm + share * (b.y_mm - a.y_mm),
            a.angle_deg + share * (b.angle_deg - a.angle_deg),
        )


def legs(path: Sequence[Pose], limits: Limits, corner_s: float) -> list[Leg]:
    """Return the moves from the first pose of `path` through all others, at rest at both ends.

    Args:
        path: poses; such as are where the last was are left out.
        limits: of the stage.
        corner_s: see the module; positive.
    """
    moves = [_Straight.between(a, b, limits) for a, b in pairwise(path)]
    moves = [move for move in moves if move.full_s > 0]
    if not moves:
        return []
    corners = [0.0, *(_corner(a, b, limits, corner_s) for a, b in pairwise(moves)), 0.0]
    for number, move in enumerate(moves):
        corners[number + 1] = min(corners[number + 1], _reached(corners[number], move))
    for number in reversed(range(len(moves))):
        corners[number] = min(corners[number], _reached(corners[number + 1], moves[number]))
    return [
        Leg(move.start, move.end, move.full_s, enters, _top(enters, leaves, move), leaves, move.gains)
        for move, enters, leaves in zip(moves, corners, corners[1:], strict=False)
    ]


@dataclass(frozen=True, slots=True)
class _Straight:
    """A straight move: how long it takes at full speed, each axis' velocity then, and what speed a second can gain."""

    start: Pose
    end: Pose
    full_s: float
    velocity: tuple[float, float, float]
    gains: float

    @classmethod
    def between(cls, start: Pose, end: Pose, limits: Limits) -> "_Straight":
        way = (end.x_mm - start.x_mm, end.y_mm - start.y_mm, end.angle_deg - start.angle_deg)
        if max(map(abs, way)) <= _STILL:
            return cls(start, end, 0.0, (0.0, 0.0, 0.0), 1.0)
        full_s = max(abs(part) / speed for part, speed in zip(way, _speeds(limits), strict=True))
        x, y, angle = (part / full_s for part in way)
        gains = min(most / abs(part) for part, most in zip((x, y, angle), _accelerations(limits), strict=True) if part)
        return cls(start, end, full_s, (x, y, angle), gains)


def _speeds(limits: Limits) -> tuple[float, float, float]:
    return limits.speed_mm_per_s, limits.speed_mm_per_s, limits.speed_deg_per_s


def _accelerations(limits: Limits) -> tuple[float, float, float]:
    return limits.acceleration_mm_per_s2, limits.acceleration_mm_per_s2, limits.acceleration_deg_per_s2


def _corner(a: _Straight, b: _Straight, limits: Limits, corner_s: float) -> float:
    """Return the highest speed at which the plate may pass from one move to the next."""
    speed = 1.0
    for before, after, most in zip(a.velocity, b.velocity, _accelerations(limits), strict=True):
        if abs(after - before) > _STILL:
            speed = min(speed, most * corner_s / abs(after - before))
    return speed


def _reached(speed: float, move: _Straight) -> float:
    """Return the speed that a whole move of gaining leads to."""
    return math.sqrt(speed**2 + 2 * move.gains * move.full_s)


def _top(enters: float, leaves: float, move: _Straight) -> float:
    """Return the highest speed of a move between two speeds."""
    return min(1.0, math.sqrt((enters**2 + leaves**2) / 2 + move.gains * move.full_s))
