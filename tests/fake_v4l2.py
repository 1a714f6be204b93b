"""linuxpy's Device and VideoCapture over a camera that is not there, as awkward as cameras are.

A pipe stands for the device's file, so that waiting for a frame is truly waiting.
"""

import errno
import os
from collections import deque
from fractions import Fraction
from types import SimpleNamespace

import cv2
import numpy as np

from rigs.camera.uvc_controls import (
    AUTO_WHITE_BALANCE,
    EXPOSURE_100_US,
    EXPOSURE_AUTO,
    EXPOSURE_AUTO_PRIORITY,
    FOCUS,
    FOCUS_AUTO,
    GAIN,
    WHITE_BALANCE_K,
)

MONOTONIC, START, TORN = 0x2000, 0x10000, 0x40


class Control:
    """A control with a range; it is clipped in silence, as linuxpy does, and may not listen at all."""

    def __init__(self, value: int, low: int, high: int, *, deaf: bool = False) -> None:
        self._value, self.low, self.high, self.deaf = value, low, high, deaf

    @property
    def value(self) -> int:
        return self._value

    @value.setter
    def value(self, asked: int) -> None:
        if not self.deaf:
            self._value = min(max(asked, self.low), self.high)


class Library:
    """Stands for the module linuxpy.video.device; one camera."""

    def __init__(self) -> None:
        self.controls = {
            EXPOSURE_AUTO: Control(3, 0, 3),
            EXPOSURE_100_US: Control(250, 3, 2047),
            EXPOSURE_AUTO_PRIORITY: Control(1, 0, 1),
            GAIN: Control(64, 0, 255),
            AUTO_WHITE_BALANCE: Control(1, 0, 1),
            WHITE_BALANCE_K: Control(4000, 2000, 6500),
            FOCUS_AUTO: Control(1, 0, 1),
            FOCUS: Control(0, 0, 250),
        }
        self.sizes = {(64, 48)}
        self.rates = (30, 15)
        self.format = ("MJPEG", 320, 240)
        self.fps = Fraction(15)
        self.buffers: deque[SimpleNamespace] = deque()
        self.unplugged = self.busy = False
        self.log: list[str] = []
        self.read_end, self.write_end = os.pipe()

    def Device(self, path: object) -> "_Device":
        return _Device(self)

    def VideoCapture(self, device: "_Device", size: int) -> "_Capture":
        return _Capture(self)

    def give(self, data: bytes, count: int, time_s: float, *, flags: int = MONOTONIC | START) -> None:
        """Let a frame come."""
        self.buffers.append(SimpleNamespace(data=data, frame_nb=count, timestamp=time_s, flags=flags))
        os.write(self.write_end, b"x")

    def unplug(self) -> None:
        self.unplugged = True
        os.write(self.write_end, b"x")


class _Device:
    def __init__(self, library: Library) -> None:
        self._library = library
        self.controls = library.controls

    def open(self) -> None:
        if self._library.busy:
            raise OSError(errno.EBUSY, "Device or resource busy")
        self._library.log.append("open")

    def close(self) -> None:
        self._library.log.append("close")

    def fileno(self) -> int:
        return self._library.read_end


class _Capture:
    def __init__(self, library: Library) -> None:
        self._library = library
        self.buffer = self

    def set_format(self, width: int, height: int, pixel_format: str) -> None:
        library = self._library
        if (width, height) in library.sizes:  # else it keeps what it has, and says nothing
            library.format = (pixel_format.replace("MJPG", "MJPEG"), width, height)
            library.fps = Fraction(15)

    def get_format(self) -> SimpleNamespace:
        name, width, height = self._library.format
        return SimpleNamespace(width=width, height=height, pixel_format=SimpleNamespace(name=name))

    def set_fps(self, fps: float) -> None:
        if fps in self._library.rates:
            self._library.fps = Fraction(fps)

    def get_fps(self) -> Fraction:
        return self._library.fps

    def open(self) -> None:
        self._library.log.append("stream on")

    def close(self) -> None:
        if self._library.unplugged:
            raise OSError(errno.ENODEV, "No such device")
        self._library.log.append("stream off")

    def raw_read(self) -> SimpleNamespace:
        os.read(self._library.read_end, 1)
        if self._library.unplugged:
            raise OSError(errno.ENODEV, "No such device")
        return self._library.buffers.popleft()


def jpeg(level: int, size: tuple[int, int] = (48, 64)) -> bytes:
    """Return a picture of one grey, with the zeros after it that some cameras add."""
    done, data = cv2.imencode(".jpg", np.full((*size, 3), (level, level // 2, 0), np.uint8))
    assert done
    return data.tobytes() + b"\0\0\0"
