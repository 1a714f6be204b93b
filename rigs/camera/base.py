"""What every camera does."""

from dataclasses import dataclass
from typing import Protocol

from rigs.frame import Frame


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """What a camera delivers, as read back from it.

    Attributes:
        width_px: of its frames.
        height_px: of its frames.
        fps: nominal frame rate.
    """

    width_px: int
    height_px: int
    fps: float


class Camera(Protocol):
    """A camera that runs freely: frames that nobody reads are gone."""

    @property
    def info(self) -> CameraInfo:
        """What it delivers."""
        ...

    def read(self) -> Frame:
        """Return the next frame that begins after this call or, if sooner, the one just finished and unread.

        Raises:
            FrameTimeoutError: if none comes in time.
        """
        ...

    def close(self) -> None:
        """Let the device go; may be called twice."""
        ...
