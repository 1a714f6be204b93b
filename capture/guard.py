"""Guard: the devices of a rig as a session reaches them, so that no call moves what must stand still.

Before each call it asks the control whether there was an emergency stop, and again after each motion and spray, which
may have begun in the moment of the stop. It notes which call is running and since when, for the watchdog (a stop, too,
may hang), and which device failed last, for the journal; it keeps the newest frame for whoever looks; and it cuts
frames to what is stored, so that memory holds no more.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import cast

from capture.control import Control
from capture.events import Device
from capture.tap import Tap
from natadv.errors import DeviceError
from natadv.images import Image
from natadv.raindrops.drops import Drops
from natadv.raindrops.pose import Pose
from rigs.camera.base import Camera, CameraInfo
from rigs.frame import Frame
from rigs.rig import Rig
from rigs.screen.base import ReadsBack, Screen
from rigs.sprayer.base import Placer, Sprayer
from rigs.stage.base import Stage


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a device that has not returned.

    Attributes:
        since_s: by the machine's monotonic clock.
    """

    device: Device
    since_s: float


class Guard:
    """Watches over the calls of one session; one at a time is running."""

    def __init__(self, control: Control, tap: Tap, crop_px: tuple[int, int, int, int] | None = None) -> None:
        """Prepare; `crop_px` is (left, top, right, bottom) of what is kept of the camera's frames, None for all."""
        self.control = control
        self.tap = tap
        self.crop_px = crop_px
        self._running: Call | None = None
        self._blamed: Device = "rig"
        self._tripped: str | None = None

    @property
    def running(self) -> Call | None:
        """The call that is running."""
        return self._running

    @property
    def blamed(self) -> Device:
        """The device that failed last; the rig where it was none of the four."""
        return self._blamed

    def trip(self, reason: str) -> None:
        """Let the running call, and all that follow, fail for this reason."""
        self._tripped = reason

    def rig(self, rig: Rig) -> Rig:
        """Return the rig with its devices under guard."""
        sprayer = (_GuardedPlacer if isinstance(rig.sprayer, Placer) else _GuardedSprayer)(rig.sprayer, self)
        screen = (_GuardedReadBack if isinstance(rig.screen, ReadsBack) else _GuardedScreen)(rig.screen, self)
        return replace(
            rig,
            camera=_GuardedCamera(rig.camera, self),
            screen=screen,
            stage=_GuardedStage(rig.stage, self),
            sprayer=sprayer,
        )

    @contextmanager
    def call(self, device: Device, undo: Callable[[], None] | None = None) -> Iterator[None]:
        """Run a call of a device.

        Args:
            device: which.
            undo: called where there was an emergency stop, or the call took too long, meanwhile.

        Raises:
            Halted: if there was an emergency stop, before or meanwhile.
            DeviceError: if the device fails, or did not answer in time.
        """
        self.control.check_halted()
        self._check_tripped()
        with self.watched(device):
            try:
                yield
            except DeviceError:
                self._blamed = device
                raise
            except OSError as error:  # of a driver's library that a driver did not map
                self._blamed = device
                why = error.strerror or error
                raise DeviceError(f"{device}: {why}; look at it, then go on with --resume") from error
            finally:
                if undo and (self.control.halted_by or self._tripped):
                    undo()
        self.control.check_halted()
        if self._tripped:
            self._blamed = device
        self._check_tripped()

    @contextmanager
    def watched(self, device: Device) -> Iterator[None]:
        """Let the watchdog see a call that is made whatever happened before, as a stop; raise nothing of its own."""
        self._running = Call(device, time.monotonic())
        try:
            yield
        finally:
            self._running = None

    def _check_tripped(self) -> None:
        if self._tripped:
            raise DeviceError(self._tripped)


class _GuardedCamera:
    def __init__(self, camera: Camera, guard: Guard) -> None:
        self._camera, self._guard = camera, guard
        info = camera.info
        self._shape = (info.height_px, info.width_px, 3)

    @property
    def info(self) -> CameraInfo:
        return self._camera.info

    def read(self) -> Frame:
        with self._guard.call("camera"):
            frame = self._camera.read()
            if frame.shape != self._shape:
                raise DeviceError(
                    f"camera: frame {frame.index} is torn, {frame.shape}, not {self._shape}; check its cable"
                )
        self._guard.tap.put(frame)
        return frame if self._guard.crop_px is None else frame.cropped(self._guard.crop_px)

    def close(self) -> None:
        self._camera.close()


class _GuardedScreen:
    def __init__(self, screen: Screen, guard: Guard) -> None:
        self._screen, self._guard = screen, guard

    def show(self, image: Image) -> None:
        with self._guard.call("screen"):
            self._screen.show(image)

    def close(self) -> None:
        self._screen.close()


class _GuardedReadBack(_GuardedScreen):
    def changed(self) -> str | None:
        with self._guard.call("screen"):
            return cast(ReadsBack, self._screen).changed()


class _GuardedStage:
    def __init__(self, stage: Stage, guard: Guard) -> None:
        self._stage, self._guard = stage, guard

    def follow(self, path: Sequence[Pose]) -> None:
        with self._guard.call("stage", self._stage.stop):
            self._stage.follow(path)

    def pose(self) -> Pose | None:
        with self._guard.call("stage"):
            return self._stage.pose()

    def pose_at(self, time_s: float) -> Pose | None:
        with self._guard.call("stage"):
            return self._stage.pose_at(time_s)

    def is_moving(self) -> bool:
        with self._guard.call("stage"):
            return self._stage.is_moving()

    def stop(self) -> None:
        with self._guard.watched("stage"):
            self._stage.stop()

    def close(self) -> None:
        self._stage.close()


class _GuardedSprayer:
    def __init__(self, sprayer: Sprayer, guard: Guard) -> None:
        self._sprayer, self._guard = sprayer, guard

    def spray(self, duration_s: float) -> None:
        with self._guard.call("sprayer", self._sprayer.close):
            self._sprayer.spray(duration_s)

    def dry(self) -> None:
        with self._guard.call("sprayer", self._sprayer.close):
            self._sprayer.dry()

    def close(self) -> None:
        with self._guard.watched("sprayer"):
            self._sprayer.close()


class _GuardedPlacer(_GuardedSprayer):
    def place(self, drops: Drops, duration_s: float) -> None:
        with self._guard.call("sprayer", self._sprayer.close):
            cast(Placer, self._sprayer).place(drops, duration_s)
