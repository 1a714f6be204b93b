"""What every camera does, and what its settings say."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol

from pydantic import PositiveFloat

from rigs.bench import BenchSettings
from rigs.frame import Frame
from rigs.geometry import ScreenGeometry
from rigs.room import Room
from rigs.screen.base import ScreenSettings
from rigs.settings import Settings
from rigs.stage.base import Stage


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

        A real camera bridges a moment's delay of a caller that reads on and on, and gives it the frames of that moment
        in turn; the rig's settle_s is longer than such a moment.

        Raises:
            FrameTimeoutError: if none comes in time.
        """
        ...

    def close(self) -> None:
        """Let the device go; may be called twice."""
        ...


class CameraSettings(Settings):
    """A camera's block of a rig's file.

    Attributes:
        kind: the driver's name in rigs/drivers.py.
        fps: frames a second.
    """

    poses: ClassVar[bool] = False
    """Whether its frames come with the plate's pose; else the rig asks the stage."""

    kind: str
    fps: PositiveFloat = 30.0

    @property
    @abstractmethod
    def frame_size(self) -> tuple[int, int]:
        """Height and width of its frames, in pixels."""

    def geometry(self, screen: ScreenSettings, bench: BenchSettings | None) -> ScreenGeometry | None:
        """Return where the picture on a screen lies in its frames, if that follows from their settings alone.

        Most cameras do not know, and have to be calibrated.
        """
        return None

    @abstractmethod
    def open(self, room: Room, stage: Stage) -> Camera:
        """Open the camera and start it.

        Args:
            room: its clock stamps the frames.
            stage: what carries the plate, for a camera that renders what is seen through it.

        Raises:
            ConnectError: if it is not there.
            SettingError: if it reports another value than it was asked for.
        """
