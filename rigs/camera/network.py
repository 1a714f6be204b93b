"""A network camera: RTSP, or MJPEG over HTTP. Its exposure and its rest are set on its own page, not from here.

It has no frame counter. A frame that is missing shows as a gap in an RTSP stream's times, and is counted from there; in
MJPEG over HTTP nothing tells of it but the rate.
"""

from collections.abc import Generator, Mapping
from typing import Literal

from pydantic import field_serializer

from natadv.errors import DeviceError
from natadv.images import Image
from rigs.camera.address import public
from rigs.camera.base import CameraInfo
from rigs.camera.live import Grab, LiveCamera
from rigs.camera.real import RealCameraSettings
from rigs.camera.stream import Stream, open_stream
from rigs.clock import Clock
from rigs.room import Room
from rigs.stage.base import Stage


class NetworkCameraSettings(RealCameraSettings):
    """A network camera.

    Attributes:
        address: URL, as rtsp://10.0.0.7/live; what is secret in it is neither printed nor kept: sessions and
            calibrations have it as `public` gives it.
        options: of FFmpeg, beside those for a low latency.
    """

    kind: Literal["network"]
    address: str
    options: Mapping[str, str] = {}

    @field_serializer("address")
    def _kept(self, address: str) -> str:
        return public(address)

    def open(self, room: Room, stage: Stage) -> LiveCamera:
        """Open the stream; its frame size and rate are compared with what was asked for.

        Raises:
            ConnectError: if it cannot be reached or is no video.
            SettingError: if its frames are of another size, or come at another rate.
        """
        stream = open_stream(self.address, options=dict(self.options), read_s=self.timeout_s)
        grabber = NetworkGrabber(stream, CameraInfo(self.width_px, self.height_px, self.fps), room.clock, self.address)
        return LiveCamera(grabber, room.clock, name=public(self.address), timeout_s=self.timeout_s, hold_s=self.hold_s)


class NetworkGrabber:
    """An open stream."""

    def __init__(self, stream: Stream, info: CameraInfo, clock: Clock, address: str) -> None:
        self._stream, self._info, self._clock, self._name = stream, info, clock, public(address)
        self._pictures: Generator[tuple[Image, float | None], None, None] = stream.pictures()
        self._last_s: float | None = None
        self._count = 0

    @property
    def info(self) -> CameraInfo:
        """What it should deliver."""
        return self._info

    def grab(self, timeout_s: float) -> Grab:
        """Wait for the next frame as long as the stream was opened for, whatever `timeout_s` says.

        Raises:
            FrameTimeoutError: if the stream falls silent or breaks.
            DeviceError: if it ends.
        """
        found = next(self._pictures, None)
        if found is None:
            raise DeviceError(f"{self._name}: the stream ended")
        image, stream_s = found
        now_s = self._clock.now_s()
        if stream_s is None:
            return Grab(image, now_s)
        if self._last_s is not None:
            self._count += max(1, round((stream_s - self._last_s) * self._info.fps))
        self._last_s = stream_s
        return Grab(image, now_s, count=self._count, taken_s=stream_s)

    def close(self) -> None:
        """Let it go."""
        self._pictures.close()
        self._stream.close()
