"""How a stage with finite speed and acceleration moves from pose to pose."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from natadv.raindrops.pose import Pose

_STILL = 1e-9
"""A distance, in mm or degrees, that counts as none: no stage sees it, and its times would not be numbers."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a stage can do; the rotation's limits are apart from the two straight axes'.

    Attributes:
        speed_mm_per_s: highest speed of an axis.
        acceleration_mm_per_s2: of an axis.
        speed_deg_per_s: highest speed of the rotation.
        acceleration_deg_per_s2: of the rotation.
    """

    speed_mm_per_s: float
    acceleration_mm_per_s2: float
    speed_deg_per_s: float
    acceleration_deg_per_s2: float


@dataclass(frozen=True, slots=True)
class Move:
    """A straight move that begins and ends at rest, all axes together (a trapezoid of speed).

    Attributes:
        start: pose at the beginning.
        end: pose at the end.
        rate: highest speed, in moves per second.
        rise_s: time of speeding up, and of slowing down.
        duration_s: of the whole move.
    """

    start: Pose
    end: Pose
    rate: float
    rise_s: float
    duration_s: float

    @classmethod
    def between(cls, start: Pose, end: Pose, limits: Limits) -> "Move":
        """Return the fastest move within the limits of every axis."""
        distances = (
            (abs(end.x_mm - start.x_mm), limits.speed_mm_per_s, limits.acceleration_mm_per_s2),
            (abs(end.y_mm - start.y_mm), limits.speed_mm_per_s, limits.acceleration_mm_per_s2),
            (abs(end.angle_deg - start.angle_deg), limits.speed_deg_per_s, limits.acceleration_deg_per_s2),
        )
        moving = [(d, speed, acceleration) for d, speed, acceleration in distances if d > _STILL]
        if not moving:
            return cls(start, end, 0.0, 0.0, 0.0)
        acceleration = min(a / d for d, _, a in moving)
        rate = min(*(speed / d for d, speed, _ in moving), math.sqrt(acceleration))
        rise_s = rate / acceleration
        return cls(start, end, rate, rise_s, 1 / rate + rise_s)

    def pose_at(self, time_s: float) -> Pose:
        """Return the pose `time_s` seconds after the beginning; before and after it the plate rests."""
        if time_s < 0:
            return self.start
        if time_s >= self.duration_s:
            return self.end
        left_s = self.duration_s - time_s
        if time_s < self.rise_s:
            done = self.rate * time_s**2 / (2 * self.rise_s)
        elif left_s < self.rise_s:
            done = 1 - self.rate * left_s**2 / (2 * self.rise_s)
        else:
            done = self.rate * (time_s - self.rise_s / 2)
        return self.pose_of(done)

    def pose_of(self, done: float) -> Pose:
        """Return the pose where a share of the move, 0..1, is done."""
        a, b = self.start, self.end
        return Pose(
            a.x_mm + done * (b.x_mm - a.x_mm),
            a.y_mm + done * (b.y_mm - a.y_mm),
            a.angle_deg + done * (b.angle_deg - a.angle_deg),
        )

    def time_of(self, done: float) -> float:
        """Return when a share of the move is done, in seconds after the beginning; the share is cut to 0..1."""
        if done <= 0 or self.rate == 0:
            return 0.0
        if done >= 1:
            return self.duration_s
        rising = self.rate * self.rise_s / 2
        if done < rising:
            return math.sqrt(2 * done * self.rise_s / self.rate)
        if done > 1 - rising:
            return self.duration_s - math.sqrt(2 * (1 - done) * self.rise_s / self.rate)
        return done / self.rate + self.rise_s / 2

    def rate_at(self, time_s: float) -> float:
        """Return the speed `time_s` seconds after the beginning, in moves per second."""
        if not 0 < time_s < self.duration_s:
            return 0.0
        return self.rate * min(1.0, time_s / self.rise_s, (self.duration_s - time_s) / self.rise_s)


class Ride(Protocol):
    """A move, however it begins and ends."""

    @property
    def duration_s(self) -> float:
        """Time of the whole move."""
        ...

    def pose_at(self, time_s: float) -> Pose:
        """Return the pose `time_s` seconds after the beginning."""
        ...


@dataclass(frozen=True, slots=True)
class Journey:
    """Moves one after the other, at least one, begun at a moment of some clock."""

    start_s: float
    moves: tuple[Ride, ...]

    @classmethod
    def along(cls, path: Sequence[Pose], limits: Limits, start_s: float) -> "Journey":
        """Return the journey from the first pose of `path` through all the others."""
        return cls(start_s, tuple(Move.between(a, b, limits) for a, b in pairwise(path)))

    @property
    def end_s(self) -> float:
        """When the last pose is reached."""
        return self.start_s + sum(move.duration_s for move in self.moves)

    def pose_at(self, time_s: float) -> Pose:
        """Return the pose at a moment of the clock."""
        left_s = time_s - self.start_s
        for move in self.moves[:-1]:
            if left_s < move.duration_s:
                return move.pose_at(left_s)
            left_s -= move.duration_s
        return self.moves[-1].pose_at(left_s)
