"""A Basler camera through its maker's library, pypylon; `PYLON_CAMEMU=1` gives the library's emulator instead.

The emulator stamps its frames with 0: those are stamped as they arrive.
"""

from contextlib import suppress
from typing import Any, Final, Literal

import numpy as np

from natadv.errors import ConnectError, DeviceError
from rigs.camera.base import CameraInfo
from rigs.camera.features import Features, GenicamSettings, Locked
from rigs.camera.live import Grab, LiveCamera
from rigs.camera.pixels import check_format, to_rgb
from rigs.camera.timebase import FrameCounter
from rigs.clock import Clock
from rigs.room import Room
from rigs.stage.base import Stage
from rigs.vendor import first_line, vendor

_NO_BLOCK: Final = (1 << 64) - 1  # pylon's word for an unknown block number
_TICK_RATE: Final = "GevTimestampTickFrequency"  # of GigE cameras; the others count nanoseconds
_LONG_BLOCKS: Final = ("GevGVSPExtendedIDMode", "BslGevGVSPExtendedIDMode")


class BaslerSettings(GenicamSettings):
    """A Basler camera.

    Attributes:
        serial: the number on its label.
    """

    kind: Literal["basler"]
    serial: str

    def open(self, room: Room, stage: Stage) -> LiveCamera:
        """Open it, lock its settings, and start it.

        Raises:
            ConnectError: if pypylon or the camera is missing.
            SettingError: if it reports another value than it was asked for.
        """
        name = f"basler {self.serial}"
        check_format(name, self.pixel_format)
        pylon = vendor("pypylon.pylon", extra="basler", device=name)
        genicam = vendor("pypylon.genicam", extra="basler", device=name)
        grabber = BaslerGrabber(self, room.clock, name, pylon, genicam)
        return LiveCamera(
            grabber,
            room.clock,
            name=name,
            timeout_s=self.timeout_s,
            hold_s=self.hold_s,
            exposure_s=grabber.exposure_s,
            counter=grabber.counter,
        )


class BaslerGrabber:
    """An open Basler camera.

    Attributes:
        exposure_s: that it has; 0 if it does not tell.
        counter: how it counts frames.
    """

    def __init__(self, settings: BaslerSettings, clock: Clock, name: str, pylon: Any, genicam: Any) -> None:
        self._settings, self._clock, self._name, self._pylon = settings, clock, name, pylon
        self._error: type[Exception] = genicam.GenericException
        self._camera = self._connect()
        try:
            features = _PylonFeatures(self._camera.GetNodeMap(), genicam)
            locked = Locked(name, features, (self._error,))
            fps = locked.lock(settings)
            self.exposure_s = locked.exposure_s()
            self._info = CameraInfo(settings.width_px, settings.height_px, fps)
            self._ticks_per_s = float(features.get(_TICK_RATE)) if features.has(_TICK_RATE) else 1e9
            self.counter = _counter(features, self._camera.GetDeviceInfo().GetDeviceClass())
            self._camera.StartGrabbing(pylon.GrabStrategy_OneByOne)
        except self._error as error:
            self.close()
            raise ConnectError(f"{name}: cannot be started ({first_line(error)})") from error
        except BaseException:
            self.close()
            raise

    @property
    def info(self) -> CameraInfo:
        """What it delivers."""
        return self._info

    def grab(self, timeout_s: float) -> Grab | None:
        """Return the next frame; one that came torn is left out, and missing in the camera's count.

        Raises:
            DeviceError: if the camera is gone.
        """
        try:
            if self._camera.IsCameraDeviceRemoved():
                raise DeviceError(f"{self._name}: was unplugged")
            result = self._camera.RetrieveResult(round(1000 * timeout_s), self._pylon.TimeoutHandling_Return)
        except self._error as error:
            raise DeviceError(f"{self._name}: {first_line(error)}; look at its cable and power") from error
        now_s = self._clock.now_s()
        with result:
            if not result.IsValid() or not result.GrabSucceeded():
                return None
            size = (self._settings.height_px, self._settings.width_px)
            pixels = np.frombuffer(result.GetBuffer(), np.uint8)[: result.GetPayloadSize()]
            image = to_rgb(self._settings.pixel_format, pixels, size)
            if image is None:
                return None
            block, ticks = int(result.BlockID), int(result.TimeStamp)
            return Grab(
                image,
                now_s,
                count=None if block == _NO_BLOCK else block,
                taken_s=ticks / self._ticks_per_s if ticks else None,
            )

    def close(self) -> None:
        """Let it go."""
        with suppress(self._error):  # one that was unplugged cannot be stopped
            self._camera.StopGrabbing()
        with suppress(self._error):
            self._camera.Close()

    def _connect(self) -> Any:
        pylon = self._pylon
        try:
            factory = pylon.TlFactory.GetInstance()
            found = {device.GetSerialNumber(): device for device in factory.EnumerateDevices()}
            if self._settings.serial not in found:
                there = ", ".join(found) or "none"
                raise ConnectError(f"{self._name}: not found (Basler cameras there: {there}); natadv rig list")
            camera = pylon.InstantCamera(factory.CreateDevice(found[self._settings.serial]))
            camera.Open()
        except self._error as error:
            raise ConnectError(f"{self._name}: cannot be opened ({first_line(error)}); is it in use?") from error
        return camera


class _PylonFeatures:
    """`Features` of pylon's node map."""

    def __init__(self, nodes: Any, genicam: Any) -> None:
        self._nodes, self._genicam = nodes, genicam

    def has(self, name: str) -> bool:
        node = self._nodes.GetNode(name)
        return bool(node.IsValid()) and bool(self._genicam.IsReadable(node))

    def get(self, name: str) -> Any:
        return self._nodes.GetNode(name).Value

    def set(self, name: str, value: Any) -> None:
        self._nodes.GetNode(name).Value = value


def _counter(features: Features, device_class: str) -> FrameCounter:
    """Return how it counts: GigE cameras in 16 bits, leaving 0 out, unless they are told to count further."""
    wide = any(features.has(name) and features.get(name) == "On" for name in _LONG_BLOCKS)
    return FrameCounter(first=1, last=65535) if device_class == "BaslerGigE" and not wide else FrameCounter()
