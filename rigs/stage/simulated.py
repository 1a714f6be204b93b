"""The simulated stage: carries the bench's plate at a finite speed."""

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import NonNegativeFloat, PositiveFloat

from natadv.errors import DeviceError
from natadv.raindrops.pose import Pose
from rigs.bench import Bench
from rigs.room import Room
from rigs.stage.base import StageSettings
from rigs.stage.profile import Limits


class SimulatedStageSettings(StageSettings):
    """Two straight axes and a rotation; the figures are a small belt-driven stage's.

    Attributes:
        corner_s: time of acceleration by which each axis may change its speed at a corner, see rigs.stage.blend; 0: the
            stage stops at each pose.
    """

    kind: Literal["simulated"]
    speed_mm_per_s: PositiveFloat = 60.0
    acceleration_mm_per_s2: PositiveFloat = 400.0
    speed_deg_per_s: PositiveFloat = 120.0
    acceleration_deg_per_s2: PositiveFloat = 900.0
    corner_s: NonNegativeFloat = 0.02

    @property
    def stops_at_poses(self) -> bool:
        """Whether it is one that does not look ahead."""
        return not self.corner_s

    @property
    def limits(self) -> Limits:
        """Its speeds and accelerations."""
        return Limits(
            self.speed_mm_per_s,
            self.acceleration_mm_per_s2,
            self.speed_deg_per_s,
            self.acceleration_deg_per_s2,
        )

    def open(self, room: Room) -> "SimulatedStage":
        """Open it."""
        return SimulatedStage(self, room.bench("stage"))


class SimulatedStage:
    """A `Stage` in the bench's world."""

    def __init__(self, settings: SimulatedStageSettings, world: Bench) -> None:
        self._settings = settings
        self._world = world
        self._open = True

    def follow(self, path: Sequence[Pose]) -> None:
        """Begin to visit these poses in turn.

        Raises:
            ValueError: if a pose is out of its travel.
            DeviceError: if the stage is closed.
        """
        if not self._open:
            raise DeviceError("simulated stage: closed")
        for pose in path:
            inside = math.hypot(pose.x_mm, pose.y_mm) <= self._settings.travel_mm + 1e-6
            if not (inside and abs(pose.angle_deg) <= self._settings.travel_deg + 1e-6):  # nor is a NaN inside
                raise ValueError(f"{pose} is out of the stage's travel")
        self._world.carry(path, self._settings.limits, self._settings.corner_s)

    def pose(self) -> Pose:
        """Return where the plate is now."""
        return self._world.pose_at(self._world.clock.now_s())

    def pose_at(self, time_s: float) -> Pose:
        """Return where the plate is at a moment."""
        return self._world.pose_at(time_s)

    def is_moving(self) -> bool:
        """Return whether the end of the path is still to be reached."""
        return self._world.clock.now_s() < self._world.arrival_s

    def stop(self) -> None:
        """Stop where the plate is."""
        self._world.carry([], self._settings.limits)

    def close(self) -> None:
        """Stop and close."""
        self.stop()
        self._open = False
