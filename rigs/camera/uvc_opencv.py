"""A USB camera by OpenCV alone, for machines where linuxpy cannot be had: no frame counter, times of arrival."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

from natadv.errors import ConfigError, ConnectError, DeviceError
from rigs.camera.base import CameraInfo
from rigs.camera.live import Grab
from rigs.camera.real import check_number, check_same
from rigs.camera.uvc_controls import MANUAL
from rigs.clock import Clock

if TYPE_CHECKING:
    from rigs.camera.uvc import UvcCameraSettings

_LACKING: Final = -1  # what OpenCV answers for a control that the camera has not
_AUTOS: Final = (
    ("automatic exposure", cv2.CAP_PROP_AUTO_EXPOSURE, MANUAL),
    ("automatic white balance", cv2.CAP_PROP_AUTO_WB, 0),
    ("automatic focus", cv2.CAP_PROP_AUTOFOCUS, 0),
)


class OpencvGrabber:
    """An open USB camera."""

    def __init__(
        self,
        settings: "UvcCameraSettings",
        clock: Clock,
        name: str,
        connect: Callable[..., Any] = cv2.VideoCapture,
    ) -> None:
        """Open it.

        Args:
            settings: its settings.
            clock: the rig's.
            name: begins every error.
            connect: stands in for OpenCV in tests.

        Raises:
            ConfigError: if controls are asked for that OpenCV cannot set.
            ConnectError: if it cannot be opened.
            SettingError: if it reports another value than it was asked for.
        """
        if settings.controls:
            raise ConfigError(f"{name}: `controls` need `backend: linuxpy`")
        self._name, self._clock = name, clock
        self._video = connect(str(settings.device), cv2.CAP_V4L2)
        try:
            if not self._video.isOpened():
                raise ConnectError(f"{name}: cannot be opened; is it in use?")
            fps = self._lock(settings)
        except BaseException:
            self._video.release()
            raise
        self._info = CameraInfo(settings.width_px, settings.height_px, fps)

    def _lock(self, settings: "UvcCameraSettings") -> float:
        """Write every setting and read it back; return the rate."""
        fourcc = cv2.VideoWriter.fourcc(*settings.pixel_format)
        # Size before rate, as the first resets the second; automatics before what they would change.
        self._put("pixel_format", cv2.CAP_PROP_FOURCC, fourcc)
        self._put("width_px", cv2.CAP_PROP_FRAME_WIDTH, settings.width_px)
        self._put("height_px", cv2.CAP_PROP_FRAME_HEIGHT, settings.height_px)
        for name, prop, off in _AUTOS:
            if self._video.get(prop) != _LACKING:
                self._put(name, prop, off)
        if settings.focus is not None:
            self._put("focus", cv2.CAP_PROP_FOCUS, settings.focus)
        if settings.exposure_s is not None:
            self._put("exposure_s / 100 µs", cv2.CAP_PROP_EXPOSURE, round(settings.exposure_s * 1e4))
        if settings.gain is not None:
            self._put("gain", cv2.CAP_PROP_GAIN, settings.gain)
        if settings.white_balance_k is not None:
            self._put("white_balance_k", cv2.CAP_PROP_WB_TEMPERATURE, settings.white_balance_k)
        self._video.set(cv2.CAP_PROP_FPS, settings.fps)
        fps = float(self._video.get(cv2.CAP_PROP_FPS))
        check_number(self._name, "fps", settings.fps, fps)
        return fps

    def _put(self, name: str, prop: int, value: int) -> None:
        self._video.set(prop, value)
        check_same(self._name, name, value, round(self._video.get(prop)))

    @property
    def info(self) -> CameraInfo:
        """What it delivers."""
        return self._info

    def grab(self, timeout_s: float) -> Grab:
        """Return the next frame; OpenCV itself gives up after ten seconds, whatever `timeout_s` says.

        Raises:
            DeviceError: if it gives none.
        """
        ok, bgr = self._video.read()
        if not ok or bgr is None:
            raise DeviceError(f"{self._name}: gave no frame; is it still plugged in?")
        now_s = self._clock.now_s()
        return Grab(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8), now_s)

    def close(self) -> None:
        """Let it go."""
        self._video.release()
