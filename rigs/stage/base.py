"""What every stage does."""

from collections.abc import Sequence
from typing import Protocol

from natadv.raindrops.pose import Pose


class Stage(Protocol):
    """A stage that carries the plate."""

    def follow(self, path: Sequence[Pose]) -> None:
        """Begin to visit these poses in turn and return at once; what it did before is given up.

        Raises:
            ValueError: if a pose is out of its travel; it does not move then.
            DeviceError: if the stage fails.
        """
        ...

    def pose(self) -> Pose:
        """Return where the plate is now."""
        ...

    def is_moving(self) -> bool:
        """Return whether the end of the path is still to be reached."""
        ...

    def stop(self) -> None:
        """Stop now. Never raises: it is called when something else has failed."""
        ...

    def close(self) -> None:
        """Stop and let the device go; may be called twice."""
        ...
