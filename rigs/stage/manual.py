"""A stage that is a person: moves the glass when asked to, and nobody knows exactly where it is."""

import contextlib
import math
from collections.abc import Sequence
from typing import Literal

from natadv.errors import DeviceError
from natadv.raindrops.pose import Pose
from rigs.operator import Operator
from rigs.room import Room
from rigs.stage.base import StageSettings

_SLACK = 1e-6


class ManualStageSettings(StageSettings):
    """A stage's block with `kind: manual`; its travel says how far the person is to move the glass."""

    kind: Literal["manual"]

    @property
    def asks(self) -> bool:
        """Whether a person does its work."""
        return True

    def open(self, room: Room) -> "ManualStage":
        """Ask nothing yet."""
        return ManualStage(self, room.operator)


class ManualStage:
    """A `Stage` whose `follow` waits for a person: who else knows that the glass moves now?"""

    def __init__(self, settings: ManualStageSettings, operator: Operator) -> None:
        self._settings = settings
        self._operator = operator
        self._moving = False
        self._open = True

    def follow(self, path: Sequence[Pose]) -> None:
        """Ask for the glass to be held still near a pose or, where there are more, to be moved all the time.

        Returns when the person says that the glass is there, or moves.

        Raises:
            ValueError: if a pose is out of its travel; nothing is asked then.
            DeviceError: if the stage is closed, or the person says no.
        """
        if not self._open:
            raise DeviceError("manual stage: closed")
        for pose in path:
            inside = math.hypot(pose.x_mm, pose.y_mm) <= self._settings.travel_mm + _SLACK
            if not (inside and abs(pose.angle_deg) <= self._settings.travel_deg + _SLACK):
                raise ValueError(f"{pose} is out of the stage's travel")
        self.stop()
        if len(path) == 1:
            x_mm, y_mm, angle_deg = path[0].x_mm, path[0].y_mm, path[0].angle_deg
            where = f"{x_mm:.0f} mm to the right of the middle, {y_mm:.0f} mm below it, turned by {angle_deg:.0f}°"
            self._operator.ask(f"hold the glass still, {where}")
        elif path:
            self._operator.ask(
                f"move the glass about, up to {self._settings.travel_mm:.0f} mm from the middle, and turn it by up to "
                f"{self._settings.travel_deg:.0f} degrees, until you are told to stop; say so once it moves"
            )
            self._moving = True

    def pose(self) -> None:
        """Return None: nobody knows."""
        return

    def pose_at(self, time_s: float) -> None:
        """Return None: nobody knows."""
        return

    def is_moving(self) -> bool:
        """Return whether the person is to move the glass."""
        return self._moving

    def stop(self) -> None:
        """Tell the person to stop, and give up what was asked. Never raises."""
        self._operator.cancel()
        if self._moving:
            self._moving = False
            with contextlib.suppress(DeviceError, OSError):
                self._operator.tell("stop: hold the glass still")

    def close(self) -> None:
        """Stop and close."""
        self.stop()
        self._open = False
