"""A camera whose frames get the plate's pose from the stage."""

from dataclasses import replace

from rigs.camera.base import Camera, CameraInfo
from rigs.frame import Frame
from rigs.stage.base import Stage


class PosedCamera:
    """Another camera, its frames stamped with where the plate was when each was taken."""

    def __init__(self, camera: Camera, stage: Stage) -> None:
        self._camera = camera
        self._stage = stage

    @property
    def info(self) -> CameraInfo:
        """What it delivers."""
        return self._camera.info

    def read(self) -> Frame:
        """Return the camera's next frame, with a pose where the stage knows it.

        Raises:
            DeviceError: as the camera.
        """
        frame = self._camera.read()
        return replace(frame, pose=self._stage.pose_at(frame.timestamp_s))

    def close(self) -> None:
        """Let the camera go."""
        self._camera.close()
