"""Any GenICam camera (GigE Vision, USB3 Vision, CoaXPress) through its maker's GenTL producer, a `.cti` file.

Harvesters, the GenICam group's own library, loads the producer.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from natadv.errors import ConnectError, DeviceError
from rigs.camera.base import CameraInfo
from rigs.camera.features import GenicamSettings, Locked
from rigs.camera.live import Grab, LiveCamera
from rigs.camera.pixels import check_format, to_rgb
from rigs.camera.timebase import FrameCounter
from rigs.clock import Clock
from rigs.room import Room
from rigs.stage.base import Stage
from rigs.vendor import first_line, vendor

_BUFFERS: Final = 8
_READABLE: Final = (3, 4)  # GenApi's access modes RO and RW
_LARGEST_BLOCK: Final = 65535  # of GigE Vision 1.x, which leaves 0 out when it wraps


class GenicamCameraSettings(GenicamSettings):
    """A GenICam camera.

    Attributes:
        cti: its maker's GenTL producer.
        serial: its serial number, as `natadv rig list --cti FILE` shows it.
    """

    kind: Literal["genicam"]
    cti: Path
    serial: str

    def open(self, room: Room, stage: Stage) -> LiveCamera:
        """Open it, lock its settings, and start it.

        Raises:
            ConnectError: if harvesters, the producer or the camera is missing.
            SettingError: if it reports another value than it was asked for.
        """
        name = f"genicam {self.serial}"
        check_format(name, self.pixel_format)
        if not self.cti.is_file():
            raise ConnectError(f"{name}: {self.cti}: no such file; its maker's software brings the .cti")
        grabber = GenicamGrabber(
            self,
            room.clock,
            name,
            vendor("harvesters.core", extra="genicam", device=name),
            vendor("genicam.gentl", extra="genicam", device=name),
            vendor("genicam.genapi", extra="genicam", device=name),
        )
        return LiveCamera(
            grabber,
            room.clock,
            name=name,
            timeout_s=self.timeout_s,
            hold_s=self.hold_s,
            exposure_s=grabber.exposure_s,
            counter=grabber.counter,
        )


class GenicamGrabber:
    """An open GenICam camera.

    Attributes:
        exposure_s: that it has; 0 if it does not tell.
        counter: how it counts frames.
    """

    def __init__(
        self, settings: GenicamCameraSettings, clock: Clock, name: str, core: Any, gentl: Any, genapi: Any
    ) -> None:
        self._settings, self._clock, self._name = settings, clock, name
        self._lacks: type[Exception] = gentl.GenericException
        self._errors: tuple[type[Exception], ...] = (gentl.GenericException, genapi.GenericException)
        self._acquirer: Any = None
        self._harvester = core.Harvester()
        try:
            self._harvester.add_file(str(settings.cti))
            self._harvester.update()
            self._acquirer = self._connect()
            self._acquirer.num_buffers = _BUFFERS
            locked = Locked(name, _NodeFeatures(self._acquirer.remote_device.node_map), self._errors)
            fps = locked.lock(settings)
            self.exposure_s = locked.exposure_s()
            self._info = CameraInfo(settings.width_px, settings.height_px, fps)
            self._acquirer.start()
        except self._errors as error:
            self.close()
            raise ConnectError(f"{name}: cannot be opened ({first_line(error)}); is it in use?") from error
        except BaseException:
            self.close()
            raise

    @property
    def info(self) -> CameraInfo:
        """What it delivers."""
        return self._info

    def grab(self, timeout_s: float) -> Grab | None:
        """Return the next frame; harvesters leaves out torn ones, which are missing in the camera's count.

        Raises:
            DeviceError: if the camera is gone.
        """
        try:
            buffer = self._acquirer.try_fetch(timeout=timeout_s)
            now_s = self._clock.now_s()
            if buffer is None:
                return None
            with buffer:
                return self._grabbed(buffer, now_s)
        except self._errors as error:
            raise DeviceError(f"{self._name}: {first_line(error)}; look at its cable and power") from error

    def _grabbed(self, buffer: Any, now_s: float) -> Grab | None:
        (picture, *_) = buffer.payload.components
        image = to_rgb(
            self._settings.pixel_format,
            np.asarray(picture.data, np.uint8),
            (self._settings.height_px, self._settings.width_px),
        )
        if image is None:
            return None
        return Grab(image, now_s, count=self._told(buffer, "frame_id"), taken_s=self._time_s(buffer))

    def _told(self, buffer: Any, name: str) -> int | None:
        """Return what a producer says of a buffer; those that cannot say raise."""
        try:
            return int(getattr(buffer.module, name))
        except self._lacks:
            return None

    def _time_s(self, buffer: Any) -> float | None:
        nanoseconds = self._told(buffer, "timestamp_ns")
        if nanoseconds:
            return nanoseconds / 1e9
        # Before GenTL 1.4 a buffer has ticks of a frequency that the device tells.
        ticks = self._told(buffer, "timestamp")
        if not ticks:
            return None
        try:
            rate = float(self._acquirer.device.timestamp_frequency)
        except self._errors:
            return None
        return ticks / rate if rate else None

    def close(self) -> None:
        """Let the camera and the producer go."""
        if self._acquirer is not None:
            with suppress(*self._errors):  # one that was unplugged cannot be stopped
                self._acquirer.stop()
            with suppress(*self._errors):
                self._acquirer.destroy()
        self._harvester.reset()

    @property
    def counter(self) -> FrameCounter:
        """How it counts frames."""
        is_gige = self._acquirer.device.tl_type == "GEV"
        return FrameCounter(first=1, last=_LARGEST_BLOCK) if is_gige else FrameCounter()

    def _connect(self) -> Any:
        serials = [info.serial_number for info in self._harvester.device_info_list]
        if self._settings.serial not in serials:
            there = ", ".join(map(str, serials)) or "none"
            raise ConnectError(f"{self._name}: not found (cameras of this producer: {there}); natadv rig list --cti")
        return self._harvester.create(serials.index(self._settings.serial))


class _NodeFeatures:
    """`Features` of GenApi's node map."""

    def __init__(self, nodes: Any) -> None:
        self._nodes = nodes

    def has(self, name: str) -> bool:
        return bool(self._nodes.has_node(name)) and (self._nodes.get_node(name).node.get_access_mode() in _READABLE)

    def get(self, name: str) -> Any:
        return self._nodes.get_node(name).value

    def set(self, name: str, value: Any) -> None:
        self._nodes.get_node(name).value = value
