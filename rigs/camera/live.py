"""LiveCamera: a `Camera` from anything that gives frames one after another, read by a thread of its own.

The thread takes every frame as it comes, so that no queue of the system fills up with old ones. A few are held for a
caller that is late by a moment; one that stays away longer finds the newest alone, and the gap in the index.
"""

import logging
import math
import threading
from collections import deque
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from natadv.errors import DeviceError, FrameTimeoutError, SettingError
from natadv.images import Image
from natadv.raindrops.pose import Pose
from rigs.camera.base import CameraInfo
from rigs.camera.timebase import DeviceClock, FrameCounter
from rigs.clock import Clock
from rigs.frame import DropState, Frame

HOLD_S: Final = 0.1
"""A caller who stays away for longer has paused, and wants the newest frame alone."""

_POLL_S: Final = 0.2
_FRESH: Final = 0.75  # frame periods since it arrived; an older one is not "just finished"
_SLEW: Final = 0.1  # share of the time between two frames by which a better known offset may move them
_RATE_MARGIN: Final = 0.1
_TRIES: Final = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Grab:
    """What a device gave.

    Attributes:
        image: uint8 RGB, (h, w, 3).
        arrived_s: when it came, by the rig's clock.
        count: the device's own frame counter, if it has one.
        taken_s: when it was taken, if the device tells.
        clock: `device`: `taken_s` is by a clock of the device's own; `rig`: it is mid-exposure by the rig's clock.
        pose: where the plate was, of a recording that knows.
        drops: how wet it was, of a recording that knows.
    """

    image: Image
    arrived_s: float
    count: int | None = None
    taken_s: float | None = None
    clock: Literal["device", "rig"] = "device"
    pose: Pose | None = None
    drops: DropState | None = None


class Grabber(Protocol):
    """An open device that streams; it is used from one thread, and closed when that has ended."""

    @property
    def info(self) -> CameraInfo:
        """What it delivers, as read back from it."""
        ...

    def grab(self, timeout_s: float) -> Grab | None:
        """Return the next frame, or None if none came in `timeout_s`, or one that was torn.

        Raises:
            DeviceError: if it is gone, or there will be no more frames.
        """
        ...

    def close(self) -> None:
        """Let it go."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """A frame that waits for a caller; `ended_s` is the end of its exposure, None where the device tells no time."""

    frame: Frame
    arrived_s: float
    ended_s: float | None


class LiveCamera:
    """A `Camera` over a `Grabber`.

    Attributes:
        late: frames that were given up because the caller came too late.
    """

    def __init__(
        self,
        grabber: Grabber,
        clock: Clock,
        *,
        name: str,
        timeout_s: float,
        exposure_s: float = 0.0,
        counter: FrameCounter | None = None,
        hold_s: float = HOLD_S,
        warm_up_s: float = 1.0,
    ) -> None:
        """Begin to read a device, which is closed if it does not deliver what it says.

        Args:
            grabber: the device; it belongs to this camera now.
            clock: the rig's.
            name: begins every error.
            timeout_s: a frame that takes longer is an error.
            exposure_s: frames without a time by the rig's clock were exposed at least half of this before they came.
            counter: how the device counts; by default without a wrap.
            hold_s: a caller who is back within this gets every frame in turn; after longer, the newest alone.
            warm_up_s: stretch in which its clock and rate are measured before the first frame is given.

        Raises:
            FrameTimeoutError: if no frames come.
            SettingError: if they come at another rate than it says.
            DeviceError: if the device fails.
        """
        self.late = 0
        self._grabber, self._clock, self._name, self._timeout_s = grabber, clock, name, timeout_s
        self._info = grabber.info
        self._exposure_s, self._hold_s = exposure_s, hold_s
        self._counter = counter or FrameCounter()
        self._device_clock = DeviceClock()
        self._last: tuple[float, float, int] | None = None  # (device's or arrival time, stamp, index)
        self._held: deque[_Held] = deque()
        self._oldest_s = -math.inf  # end of exposure of the oldest frame that the caller may get, where devices tell
        self._most = max(2, math.ceil(hold_s * self._info.fps) + 1)
        self._returned_s = -math.inf
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._closed = False
        self._warm_up_s = warm_up_s
        self._first_s: float | None = None
        self._half: tuple[float, int] | None = None
        self._tries = 0
        self._warm = not warm_up_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        try:
            self._await_warm()
        except BaseException:
            self.close()
            raise

    @property
    def info(self) -> CameraInfo:
        """What it delivers."""
        return self._info

    def read(self) -> Frame:
        """Return the next frame; see `Camera.read`.

        Raises:
            FrameTimeoutError: if none comes in time.
            DeviceError: if the camera is closed, gone, or its counter or clock goes back.
        """
        with self._changed:
            now_s = self._clock.now_s()
            if now_s - self._returned_s > self._hold_s:
                self._forget_old(now_s)
            if not self._changed.wait_for(self._ready, self._timeout_s):
                raise FrameTimeoutError(
                    f"{self._name}: no frame in {self._timeout_s:g} s; look at its cable and its trigger"
                )
            if self._closed:
                raise DeviceError(f"{self._name}: closed")
            if not self._held:
                raise self._error or DeviceError(f"{self._name}: gives no more frames")
            self._returned_s = self._clock.now_s()
            return self._held.popleft().frame

    def close(self) -> None:
        """End the thread and let the device go."""
        with self._changed:
            first, self._closed = not self._closed, True
            self._held.clear()
            self._changed.notify_all()
        if not first:
            return
        self._stop.set()
        self._thread.join(self._timeout_s + 5 * _POLL_S)
        if self._thread.is_alive():
            # Closing it under the thread that waits in its driver would crash the process.
            _log.warning("%s: its driver does not return; it stays open until the program ends", self._name)
            return
        self._grabber.close()

    def _ready(self) -> bool:
        return bool(self._held) or self._closed or self._error is not None

    def _forget_old(self, now_s: float) -> None:
        """Leave a caller who was away no frame but the one just finished.

        A stream that stalled delivers old frames now, so the time of arrival is asked only where there is no other.
        """
        self._oldest_s = now_s - 1 / self._info.fps
        while len(self._held) > 1:
            self._give_up()
        if self._held and self._is_old(self._held[0], now_s):
            self._give_up()

    def _is_old(self, held: "_Held", now_s: float) -> bool:
        if held.ended_s is not None:
            return held.ended_s < self._oldest_s
        return now_s - held.arrived_s > _FRESH / self._info.fps

    def _give_up(self) -> None:
        self._held.popleft()
        self.late += 1

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                grab = self._grabber.grab(_POLL_S)
                if grab is not None:
                    self._take(grab)
        except BaseException as error:  # noqa: BLE001  # it is raised in the caller's thread
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _take(self, grab: Grab) -> None:
        frame = self._frame(grab)
        if not self._warm:
            self._warming(grab, frame)
            return
        ended_s = None if grab.taken_s is None else frame.timestamp_s + self._exposure_s / 2
        with self._changed:
            if ended_s is not None and ended_s < self._oldest_s:
                self.late += 1
                return
            self._held.append(_Held(frame, grab.arrived_s, ended_s))
            if len(self._held) > self._most:
                # The caller does not keep up: it gets the newest, rather than being late for ever.
                while len(self._held) > 1:
                    self._give_up()
            self._changed.notify_all()

    def _frame(self, grab: Grab) -> Frame:
        if grab.image.shape != (self._info.height_px, self._info.width_px, 3):
            height, width = grab.image.shape[:2]
            raise SettingError(
                f"{self._name}: {self._info.width_px} × {self._info.height_px} pixels asked, "
                f"frames have {width} × {height}"
            )
        index = self._index(grab)
        own_s = grab.arrived_s if grab.taken_s is None else grab.taken_s
        if grab.taken_s is None:
            if self._last is None:
                _log.warning("%s: tells no time; its frames are stamped as they arrive", self._name)
            at_s = grab.arrived_s - self._exposure_s / 2
        elif grab.clock == "rig":
            at_s = grab.taken_s
        else:
            at_s = self._device_clock.at(grab.taken_s, grab.arrived_s) - self._exposure_s / 2
        if self._last is not None:
            before_s, stamp_s, before = self._last
            step_s = own_s - before_s
            if step_s <= 0:
                raise DeviceError(
                    f"{self._name}: frame {index} is stamped {own_s:.4f} s, not after frame {before} at "
                    f"{before_s:.4f} s; check its clock"
                )
            if grab.taken_s is not None and grab.clock == "device" and self._warm:
                # What is learnt of the offset later must not make times jump, or even go back.
                at_s = min(max(at_s, stamp_s + (1 - _SLEW) * step_s), stamp_s + (1 + _SLEW) * step_s)
                at_s = min(at_s, grab.arrived_s - self._exposure_s / 2)
        self._last = (own_s, at_s, index)
        return Frame(grab.image, index, at_s, grab.pose, grab.drops)

    def _index(self, grab: Grab) -> int:
        if grab.count is None:
            return 0 if self._last is None else self._last[2] + 1
        try:
            return self._counter.index(grab.count)
        except ValueError as error:
            raise DeviceError(f"{self._name}: its frame counter {error}; was it reset?") from error

    def _warming(self, grab: Grab, frame: Frame) -> None:
        """Measure the rate in the second half of the warm-up; the first often brings what had queued up.

        Some cameras need a few seconds to settle on a new exposure time, so a rate that is off is measured again.
        """
        if self._first_s is None:
            self._first_s = grab.arrived_s
        passed_s = grab.arrived_s - self._first_s
        if self._half is None and passed_s >= self._warm_up_s / 2:
            self._half = (frame.timestamp_s, frame.index)
        if passed_s < self._warm_up_s or self._half is None or frame.index == self._half[1]:
            return
        rate = (frame.index - self._half[1]) / (frame.timestamp_s - self._half[0])
        if abs(rate / self._info.fps - 1) > _RATE_MARGIN:
            self._tries += 1
            if self._tries == _TRIES:
                raise SettingError(f"{self._name}: {self._info.fps:g} fps asked, frames come at {rate:.1f}")
            self._first_s, self._half = grab.arrived_s, None
            return
        with self._changed:
            self._warm = True
            self._changed.notify_all()

    def _await_warm(self) -> None:
        with self._changed:
            wait_s = _TRIES * self._warm_up_s + self._timeout_s
            self._changed.wait_for(lambda: self._warm or self._error is not None, wait_s)
            if self._error is not None:
                raise self._error
            if not self._warm:
                raise FrameTimeoutError(f"{self._name}: no steady frames in {wait_s:g} s; look at cable and trigger")
