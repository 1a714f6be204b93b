"""What every stage does, and what its settings say."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from pydantic import PositiveFloat

from natadv.raindrops.pose import Pose
from rigs.room import Room
from rigs.settings import Settings


class Stage(Protocol):
    """A stage that carries the plate.

    One that is a person (its settings say `asks`) never knows a pose; `follow` returns when the person says that the
    plate is held at the one pose, so that it does not move then, or moves along the many, and goes on until `stop`.
    """

    def follow(self, path: Sequence[Pose]) -> None:
        """Begin to visit these poses in turn and return at once; what it did before is given up.

        Raises:
            ValueError: if a pose is out of its travel; it does not move then.
            DeviceError: if the stage fails.
        """
        ...

    def pose(self) -> Pose | None:
        """Return where the plate is now; None if it cannot know.

        Raises:
            DeviceError: if the stage has failed; so do the next two.
        """
        ...

    def pose_at(self, time_s: float) -> Pose | None:
        """Return where the plate was at a moment of the rig's clock, not long ago; None if it cannot know."""
        ...

    def is_moving(self) -> bool:
        """Return whether the end of the path is still to be reached."""
        ...

    def stop(self) -> None:
        """Stop now. Never raises: it is called when something else has failed, and from any thread, in emergencies."""
        ...

    def close(self) -> None:
        """Stop and let the device go; may be called twice, and from any thread: it ends a call that hangs."""
        ...


@runtime_checkable
class Certain(Protocol):
    """A stage that can tell whether `stop` was heard; one that cannot be out of reach need not."""

    def is_at_rest(self) -> bool:
        """Return whether it is certain that the plate stands. Never raises."""
        ...


class StageSettings(Settings):
    """A stage's block of a rig's file.

    Attributes:
        kind: the driver's name in rigs/drivers.py.
        travel_mm: how far from home it goes, in any direction.
        travel_deg: how far it turns, to either side.
    """

    kind: str
    travel_mm: PositiveFloat = 40.0
    travel_deg: PositiveFloat = 180.0

    @property
    def asks(self) -> bool:
        """Whether a person does its work, and takes as long as it takes."""
        return False

    @property
    def asks_to_open(self) -> bool:
        """Whether a person may be asked something while it is opened, and takes as long as it takes."""
        return False

    @property
    def stops_at_poses(self) -> bool:
        """Whether it comes to rest at each pose of a path."""
        return False

    @abstractmethod
    def open(self, room: Room) -> Stage:
        """Open the stage; it stands still.

        Raises:
            ConnectError: if it is not there.
            SettingError: if it is not set up as it was asked for.
        """
