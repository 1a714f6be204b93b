"""A USB camera (UVC) on Linux, by linuxpy: its controls locked, its frames with the kernel's times and counts.

`backend: opencv` does without linuxpy, and without times and counts; nothing falls back to it by itself.
"""

import errno
import logging
import select
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, cast

import cv2
import numpy as np
from pydantic import PositiveFloat

from natadv.errors import ConnectError, DeviceError
from natadv.images import Image
from rigs.camera.base import CameraInfo
from rigs.camera.live import Grab, Grabber, LiveCamera
from rigs.camera.real import RealCameraSettings, check_number, check_same
from rigs.camera.timebase import FrameCounter
from rigs.camera.uvc_controls import (
    EXPOSURE_100_US,
    FOCUS,
    GAIN,
    WHITE_BALANCE_K,
    Controls,
    lock_controls,
    read_exposure_s,
)
from rigs.clock import Clock
from rigs.room import Room
from rigs.stage.base import Stage
from rigs.vendor import first_line, vendor

_BUFFERS: Final = 4
_LAST_COUNT: Final = (1 << 32) - 1
# Bits of a buffer's flags, of linux/videodev2.h.
_TORN: Final = 0x40
_CLOCK_MASK, _MONOTONIC = 0xE000, 0x2000
_FROM_MASK, _FROM_START = 0x70000, 0x10000

_log = logging.getLogger(__name__)


class UvcCameraSettings(RealCameraSettings):
    """A USB camera.

    Attributes:
        device: as /dev/v4l/by-id/...-video-index0, which stays the same; the number of /dev/video0 does not.
        pixel_format: MJPG, compressed by the camera, or YUYV, which is not, but needs more of the cable.
        exposure_s: a multiple of the screen's refresh period; without one the camera keeps its own, automatics off.
        gain: in the camera's unit; without one it keeps its own.
        white_balance_k: colour temperature; without one it keeps its own.
        focus: in the camera's unit; without one it keeps its own.
        controls: any others, by their V4L2 numbers.
        backend: what reads it.
    """

    kind: Literal["uvc"]
    device: Path
    pixel_format: Literal["MJPG", "YUYV"] = "MJPG"
    exposure_s: PositiveFloat | None = None
    gain: int | None = None
    white_balance_k: int | None = None
    focus: int | None = None
    controls: Mapping[int, int] = {}
    backend: Literal["linuxpy", "opencv"] = "linuxpy"

    def open(self, room: Room, stage: Stage) -> LiveCamera:
        """Open it, lock its settings, and start it.

        Raises:
            ConnectError: if linuxpy or the camera is missing.
            SettingError: if it reports another value than it was asked for.
        """
        name = f"camera {self.device.name}"
        if not self.device.exists():
            raise ConnectError(f"{name}: {self.device} is not there; natadv rig list shows those that are")
        if self.device.parent == Path("/dev"):
            _log.warning("%s: this name may be another camera's tomorrow; natadv rig list shows lasting ones", name)
        grabber: Grabber
        if self.backend == "opencv":
            from rigs.camera.uvc_opencv import OpencvGrabber  # noqa: PLC0415  # it uses these settings

            grabber, exposure_s = OpencvGrabber(self, room.clock, name), self.exposure_s or 0.0
        else:
            library = vendor("linuxpy.video.device", extra="uvc", device=name)
            grabber = found = UvcGrabber(self, room.clock, name, library)
            exposure_s = found.exposure_s
        return LiveCamera(
            grabber,
            room.clock,
            name=name,
            timeout_s=self.timeout_s,
            hold_s=self.hold_s,
            exposure_s=exposure_s,
            counter=FrameCounter(last=_LAST_COUNT),
        )

    def wanted(self) -> dict[int, tuple[str, int]]:
        """Return the controls to write: number to (name, value)."""
        exposure = None if self.exposure_s is None else round(self.exposure_s * 1e4)
        named = {
            EXPOSURE_100_US: ("exposure_s", exposure),
            GAIN: ("gain", self.gain),
            WHITE_BALANCE_K: ("white_balance_k", self.white_balance_k),
            FOCUS: ("focus", self.focus),
        }
        given = {number: (name, value) for number, (name, value) in named.items() if value is not None}
        return given | {number: (f"control {number}", value) for number, value in self.controls.items()}


class UvcGrabber:
    """An open USB camera.

    Attributes:
        exposure_s: that it has; 0 if it does not tell.
    """

    def __init__(self, settings: UvcCameraSettings, clock: Clock, name: str, library: Any) -> None:
        """Open it.

        Args:
            settings: its settings.
            clock: the rig's.
            name: begins every error.
            library: linuxpy.video.device.
        """
        self._settings, self._name, self._clock = settings, name, clock
        # The kernel stamps by the machine's monotonic clock, which a rig's clock may differ from.
        self._rig_ahead_s = clock.now_s() - time.monotonic()
        self._device = library.Device(settings.device)
        self._capture: Any = None
        try:
            self._device.open()
            self._capture = library.VideoCapture(self._device, size=_BUFFERS)
            fps = self._set_up()
            # Some cameras forget their controls when the stream starts, so it starts first.
            self._capture.open()
            lock_controls(name, self._controls, settings.wanted())
            self.exposure_s = read_exposure_s(name, self._controls())
        except (OSError, library.V4L2Error) as error:
            self.close()
            raise ConnectError(f"{name}: cannot be opened ({first_line(error)}); is it in use?") from error
        except BaseException:
            self.close()
            raise
        self._info = CameraInfo(settings.width_px, settings.height_px, fps)

    def _controls(self) -> Controls:
        """Return the controls as they are now; before it was refreshed linuxpy's dictionary is empty."""
        controls = self._device.controls
        controls.refresh()
        return cast(Controls, controls)

    def _set_up(self) -> float:
        """Set format and rate, in this order, as the first resets the second; return the rate."""
        settings, capture = self._settings, self._capture
        capture.set_format(settings.width_px, settings.height_px, settings.pixel_format)
        got = capture.get_format()
        check_same(self._name, "width_px", settings.width_px, got.width)
        check_same(self._name, "height_px", settings.height_px, got.height)
        check_same(self._name, "pixel_format", settings.pixel_format, got.pixel_format.name.replace("MJPEG", "MJPG"))
        capture.set_fps(settings.fps)
        fps = float(capture.get_fps())
        check_number(self._name, "fps", settings.fps, fps)
        return fps

    @property
    def info(self) -> CameraInfo:
        """What it delivers."""
        return self._info

    def grab(self, timeout_s: float) -> Grab | None:
        """Return the next frame; one that came torn is left out, and missing in the kernel's count.

        Raises:
            DeviceError: if the camera is gone.
        """
        try:
            ready, _, _ = select.select([self._device.fileno()], [], [], timeout_s)
            if not ready:
                return None
            frame = self._capture.buffer.raw_read()
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return None
            said = "was unplugged" if error.errno == errno.ENODEV else first_line(error)
            raise DeviceError(f"{self._name}: {said}; look at its cable, then natadv rig list") from error
        now_s = self._clock.now_s()
        flags = int(frame.flags)
        image = None if flags & _TORN else self._decode(bytes(frame.data))
        if image is None:
            return None
        if flags & _CLOCK_MASK == _MONOTONIC:
            # The stamp is of the exposure's start, or of the frame's end; what we want is the middle.
            half_s = self.exposure_s / 2 if flags & _FROM_MASK == _FROM_START else -self.exposure_s / 2
            taken_s = frame.timestamp + self._rig_ahead_s + half_s
            return Grab(image, now_s, count=frame.frame_nb, taken_s=taken_s, clock="rig")
        return Grab(image, now_s, count=frame.frame_nb, taken_s=frame.timestamp or None)

    def close(self) -> None:
        """Let it go."""
        if self._capture is not None:
            with suppress(OSError):  # one that was unplugged cannot be stopped
                self._capture.close()
        with suppress(OSError):
            self._device.close()

    def _decode(self, data: bytes) -> Image | None:
        """Return the image of a buffer; None if it is torn."""
        height, width = self._settings.frame_size
        if self._settings.pixel_format == "YUYV":
            if len(data) != height * width * 2:
                return None
            packed = np.frombuffer(data, np.uint8).reshape(height, width, 2)
            return np.asarray(cv2.cvtColor(packed, cv2.COLOR_YUV2RGB_YUYV), np.uint8)
        # A JPEG ends so; decoders fill what is missing of a cut-off one with grey.
        if not data.rstrip(b"\0").endswith(b"\xff\xd9"):
            return None
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        return None if bgr is None else np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
