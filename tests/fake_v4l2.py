"""A USB camera that is not there, as awkward as cameras are: it answers linuxpy's system calls as the kernel does.

linuxpy itself is the real one. A named pipe stands for the device's file, so that waiting for a frame is truly waiting;
what a driver would answer to an ioctl is answered here.
"""

import errno
import mmap
import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

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
_INTEGER, _BOOLEAN, _MENU = 1, 2, 3
_INACTIVE = 0x10
_NEXT = 0xC0000000
_BUFFER_BYTES = 1 << 16


@dataclass
class Control:
    """A control of the camera; a `deaf` one keeps what it has. It is inactive while its automatic is on."""

    name: str
    kind: int
    value: int
    low: int
    high: int
    auto: int = 0
    deaf: bool = False


class FakeCamera:
    """One camera, and the part of the kernel that serves it."""

    def __init__(self, folder: Path, library: Any) -> None:
        self.library, self.raw = library, library.raw
        self.path = folder / "usb-Maker_Cam_1-video-index0"
        os.mkfifo(self.path)
        self.controls = {
            AUTO_WHITE_BALANCE: Control("White Balance, Automatic", _BOOLEAN, 1, 0, 1),
            GAIN: Control("Gain", _INTEGER, 64, 0, 255),
            WHITE_BALANCE_K: Control("White Balance Temperature", _INTEGER, 4000, 2000, 6500, AUTO_WHITE_BALANCE),
            EXPOSURE_AUTO: Control("Auto Exposure", _MENU, 3, 0, 3),
            EXPOSURE_100_US: Control("Exposure Time, Absolute", _INTEGER, 250, 3, 2047, EXPOSURE_AUTO),
            EXPOSURE_AUTO_PRIORITY: Control("Exposure, Dynamic Framerate", _BOOLEAN, 1, 0, 1),
            FOCUS: Control("Focus, Absolute", _INTEGER, 0, 0, 250, FOCUS_AUTO),
            FOCUS_AUTO: Control("Focus, Automatic Continuous", _BOOLEAN, 1, 0, 1),
        }
        self.modes = {("MJPG", 64, 48): (30, 15), ("YUYV", 64, 48): (30,), ("MJPG", 320, 240): (15,)}
        self.mode, self.fps = ("MJPG", 320, 240), 15
        self.frames: deque[tuple[bytes, int, float, int]] = deque()
        self.buffers: list[mmap.mmap] = []
        self.queued: deque[int] = deque()
        self.unplugged = self.busy = self.streaming = False
        self.log: list[str] = []
        self._pipe = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)

    def give(self, data: bytes, count: int, time_s: float, *, flags: int = MONOTONIC | START) -> None:
        """Let a frame come."""
        self.frames.append((data, count, time_s, flags))
        os.write(self._pipe, b"x")

    def unplug(self) -> None:
        self.unplugged = True
        os.write(self._pipe, b"x")

    def close(self) -> None:
        os.close(self._pipe)

    def ioctl(self, fd: Any, request: Any, arg: Any = None) -> Any:
        """Answer a system call."""
        self.log.append(request.name)
        if self.unplugged:
            raise OSError(errno.ENODEV, "No such device")
        getattr(self, f"_{request.name.lower()}")(arg)
        return arg

    def mem_map(self, fd: Any, length: int, offset: int) -> mmap.mmap:
        self.buffers.append(mmap.mmap(-1, length))
        return self.buffers[-1]

    def _fourcc(self, name: str) -> int:
        return int(self.raw.v4l2_fourcc(*name))

    def _querycap(self, cap: Any) -> None:
        cap.driver, cap.card = b"uvcvideo", b"Maker Cam"
        cap.capabilities = cap.device_caps = 0x04000001  # streaming, video capture

    def _s_fmt(self, fmt: Any) -> None:
        if self.busy:
            raise OSError(errno.EBUSY, "Device or resource busy")
        pix = fmt.fmt.pix
        for name, width, height in self.modes:
            if (self._fourcc(name), width, height) == (pix.pixelformat, pix.width, pix.height):
                self.mode, self.fps = (name, width, height), 15  # another it does not take, and says nothing
        self._g_fmt(fmt)

    def _g_fmt(self, fmt: Any) -> None:
        name, fmt.fmt.pix.width, fmt.fmt.pix.height = self.mode
        fmt.fmt.pix.pixelformat = self._fourcc(name)

    def _s_parm(self, parm: Any) -> None:
        interval = parm.parm.capture.timeperframe
        asked = interval.denominator / interval.numerator
        if asked in self.modes[self.mode]:
            self.fps = round(asked)
        self._g_parm(parm)

    def _g_parm(self, parm: Any) -> None:
        parm.parm.capture.timeperframe.numerator, parm.parm.capture.timeperframe.denominator = 1, self.fps

    def _query_ext_ctrl(self, query: Any) -> None:
        after = query.id & ~_NEXT
        number = min((number for number in self.controls if number > after), default=None)
        if number is None:
            raise OSError(errno.EINVAL, "Invalid argument")
        control = self.controls[number]
        query.id, query.type, query.name = number, control.kind, control.name.encode()[:31]
        query.minimum, query.maximum, query.step = control.low, control.high, 1
        auto = self.controls.get(control.auto)
        query.flags = _INACTIVE if auto and auto.value == (3 if auto.kind == _MENU else 1) else 0

    def _querymenu(self, menu: Any) -> None:
        names = {1: b"Manual Mode", 3: b"Aperture Priority Mode"}
        if menu.index not in names:
            raise OSError(errno.EINVAL, "Invalid argument")
        menu.name = names[menu.index]

    def _g_ext_ctrls(self, asked: Any) -> None:
        for one in asked.controls[: asked.count]:
            one.value = self.controls[one.id].value

    def _s_ext_ctrls(self, asked: Any) -> None:
        for place in range(asked.count):
            one = asked.controls[place]
            control = self.controls[one.id]
            if not control.deaf:
                control.value = min(max(one.value, control.low), control.high)

    def _reqbufs(self, request: Any) -> None:
        if not request.count:
            self.buffers, self.queued = [], deque()

    def _querybuf(self, buffer: Any) -> None:
        buffer.length = _BUFFER_BYTES
        buffer.m.offset = buffer.index * _BUFFER_BYTES

    def _qbuf(self, buffer: Any) -> None:
        self.queued.append(buffer.index)

    def _dqbuf(self, buffer: Any) -> None:
        os.read(self._pipe, 1)
        data, buffer.sequence, time_s, buffer.flags = self.frames.popleft()
        buffer.index = self.queued.popleft()
        self.buffers[buffer.index][: len(data)] = data
        buffer.bytesused = len(data)
        microseconds = round(time_s * 1e6)
        buffer.timestamp.secs, buffer.timestamp.usecs = divmod(microseconds, 1_000_000)

    def _streamon(self, kind: Any) -> None:
        self.streaming = True

    def _streamoff(self, kind: Any) -> None:
        self.streaming = False

    def _enum_fmt(self, fmt: Any) -> None:
        fmt.pixelformat = self._fourcc(self._nth(sorted({name for name, _, _ in self.modes}), fmt.index))

    def _enum_framesizes(self, size: Any) -> None:
        sizes = [mode[1:] for mode in self.modes if self._fourcc(mode[0]) == size.pixel_format]
        size.type = 1
        size.m1.discrete.width, size.m1.discrete.height = self._nth(sizes, size.index)

    def _enum_frameintervals(self, interval: Any) -> None:
        asked = (interval.pixel_format, interval.width, interval.height)
        rates = [rates for mode, rates in self.modes.items() if (self._fourcc(mode[0]), *mode[1:]) == asked]
        interval.type = 1
        interval.discrete.numerator, interval.discrete.denominator = 1, self._nth(rates[0], interval.index)

    def _nth(self, entries: Any, index: int) -> Any:
        if index >= len(entries):
            raise OSError(errno.EINVAL, "Invalid argument")
        return entries[index]


@pytest.fixture
def v4l2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Plug a camera in."""
    library = pytest.importorskip("linuxpy.video.device", reason="needs linuxpy: pip install '.[uvc]'")
    camera = FakeCamera(tmp_path, library)
    monkeypatch.setattr(library, "ioctl", camera.ioctl)
    monkeypatch.setattr(library, "mem_map", camera.mem_map)
    yield camera
    camera.close()


def jpeg(level: int, size: tuple[int, int] = (48, 64)) -> bytes:
    """Return a picture of one colour, with the zeros after it that some cameras add."""
    done, data = cv2.imencode(".jpg", np.full((*size, 3), (level, level // 2, 0), np.uint8))
    assert done
    return data.tobytes() + b"\0\0\0"
