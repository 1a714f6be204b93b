"""The `x11` camera: a part of an X display, grabbed at a steady rate by FFmpeg's x11grab.

Its frames are what is on the display, bit for bit, so a screen and this camera make a rig without glass or light.

x11grab paces itself: packet i is due at start + i periods of its own. One that comes late shows what was on the display
late, and those behind it come in a rush until they have caught up. So the packets count as a camera's frames do, and
one that is late by more than `_LATE` of a period is lost: its number is missing.
"""

import math
import time
from typing import Final, Literal

import cv2
import numpy as np
from pydantic import NonNegativeInt

from natadv.errors import ConnectError, SettingError
from natadv.images import Image
from rigs.bench import BenchSettings
from rigs.camera.base import CameraInfo
from rigs.camera.live import Grab, LiveCamera
from rigs.camera.real import RealCameraSettings
from rigs.clock import Clock
from rigs.geometry import ScreenGeometry
from rigs.helper import Helper
from rigs.room import Room
from rigs.screen.base import ScreenSettings
from rigs.screen.desktop import Desktop
from rigs.stage.base import Stage

_NAME: Final = "camera (x11)"
_OPEN_S: Final = 20.0
_LATE: Final = 0.25
_WARM_UP_S: Final = 0.3
_LOOKS: Final = 5
_APART_S: Final = 2e-4
_DUE_S: Final = 1e-6  # x11grab counts periods in whole microseconds


class X11CameraSettings(RealCameraSettings):
    """A part of an X display.

    Attributes:
        display: as `:0`; without one, what the environment's DISPLAY names.
        left_px: of the part, on the desktop.
        top_px: of the part, on the desktop.
    """

    kind: Literal["x11"]
    display: str | None = None
    left_px: NonNegativeInt = 0
    top_px: NonNegativeInt = 0

    def geometry(self, screen: ScreenSettings, bench: BenchSettings | None) -> ScreenGeometry | None:
        """Return where the picture of a screen on the same display lies: it takes no measuring."""
        shown = screen.on_display()
        if shown is None or shown.display != self.display:
            return None
        left, top = shown.left - self.left_px - 0.5, shown.top - self.top_px - 0.5
        right, bottom = left + shown.width, top + shown.height
        return ScreenGeometry(((left, top), (right, top), (right, bottom), (left, bottom)))

    def open(self, room: Room, stage: Stage) -> LiveCamera:
        """Open the display and begin to grab."""
        grabber = X11Grabber(self, room.clock)
        return LiveCamera(
            grabber,
            room.clock,
            name=_NAME,
            timeout_s=self.timeout_s,
            hold_s=self.hold_s,
            warm_up_s=_WARM_UP_S,
        )


class X11Grabber:
    """A `Grabber` by the process in rigs/camera/grabbing.py."""

    def __init__(self, settings: X11CameraSettings, clock: Clock) -> None:
        """Open the display.

        Raises:
            ConnectError: if it is not there, or the part reaches out of it.
            SettingError: if x11grab delivers otherwise than asked.
        """
        self._settings, self._clock = settings, clock
        # x11grab does not notice when the display goes away, and gives its last frame for ever.
        self._desktop = Desktop(settings.display)
        self._helper = Helper("rigs.camera.grabbing", name=_NAME, display=settings.display)
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        self._period_s = round(1e6 / settings.fps) * _DUE_S
        self._start_s = math.inf

    @property
    def info(self) -> CameraInfo:
        """What it delivers."""
        return CameraInfo(self._settings.width_px, self._settings.height_px, self._settings.fps)

    def grab(self, timeout_s: float) -> Grab | None:
        """Return the next frame, or None if none came, or came too late to be the one of its number.

        Raises:
            DeviceError: if the display is gone.
        """
        packet = self._helper.receive(timeout_s)
        self._desktop.check_alive()
        if packet is None:
            return None
        count, stamp_s, line_bytes, samples = packet
        arrived_s, ahead_s = self._ahead()
        taken_s = stamp_s + ahead_s
        begun_s = taken_s - count * self._period_s
        self._start_s = min(self._start_s, begun_s)
        if begun_s - self._start_s > _LATE * self._period_s:
            return None
        return Grab(_rgb(samples, line_bytes, self._settings.frame_size), arrived_s, count, taken_s, clock="rig")

    def _ahead(self) -> tuple[float, float]:
        """Return now, and how far our clock is ahead of the wall's, by which frames are stamped and which may be set.

        On a busy machine a while may pass between two looks at clocks: of some, the two that were closest count.
        """
        apart_s, ahead_s = math.inf, 0.0
        for _ in range(_LOOKS):
            before_s, wall_s, now_s = self._clock.now_s(), time.time(), self._clock.now_s()
            if now_s - before_s < apart_s:
                apart_s, ahead_s = now_s - before_s, (before_s + now_s) / 2 - wall_s
            if apart_s < _APART_S:
                break
        return now_s, ahead_s

    def close(self) -> None:
        """Let the display go."""
        self._helper.close()
        self._desktop.close()

    def _open(self) -> None:
        settings, name = self._settings, self._desktop.name
        size = f"{settings.width_px}x{settings.height_px}"
        options = {
            "video_size": size,
            "framerate": f"{settings.fps:g}",
            "grab_x": str(settings.left_px),
            "grab_y": str(settings.top_px),
            "draw_mouse": "0",
        }
        self._helper.send(("open", settings.display or "", options))
        answer = self._helper.receive(_OPEN_S)
        if answer is None or answer[0] == "failed":
            why = answer[1] if answer else "no answer"
            raise ConnectError(
                f"{_NAME}: cannot grab {size} at ({settings.left_px}, {settings.top_px}) of {name} ({why}); "
                "is that within it?"
            )
        if tuple(answer[1:]) != (settings.width_px, settings.height_px, "bgr0"):
            raise SettingError(f"{_NAME}: {size} bgr0 asked, {answer[1]}x{answer[2]} {answer[3]} got")


def _rgb(samples: bytes, line_bytes: int, size: tuple[int, int]) -> Image:
    height, width = size
    lines = np.frombuffer(samples, np.uint8)[: height * line_bytes].reshape(height, line_bytes)
    bgrx = lines[:, : 4 * width].reshape(height, width, 4)
    return np.asarray(cv2.cvtColor(bgrx, cv2.COLOR_BGRA2RGB), np.uint8)
