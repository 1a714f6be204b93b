"""Faults on purpose: any driver, wrapped so that it fails as hardware does; to test what must survive that.

A rig's file has them by a block:

    faults:
      seed: 1
      camera: {stall: 0.0002, disconnect: 0.0002, torn: 0.0002, late: 0.0002, wrong: 0.0002}
      screen: {stall: 0.01, disconnect: 0.01, wrong: 0.01, late: 0.01}
      stage: {stall: 0.01, disconnect: 0.01, wrong: 0.01, alarm: 0.01, late: 0.01}
      sprayer: {stall: 0.01, disconnect: 0.01, alarm: 0.01, late: 0.01}

Each number is the chance, at a call of the device that does something, that this fault happens. A stage's call is a
`follow`; of looks at it (`is_moving`, `pose_at`) there are dozens to a motion, so each has a fiftieth of that chance:
a stage fails while the plate moves too. A screen's look at what it shows has a fiftieth too.

    stall       the call hangs, until `stall_s` have passed or the device is closed, and then fails
    disconnect  the call fails, so do all that follow, and the next `opens_failing` openings of the rig
    wrong       camera: a frame's time is reported twice; screen: the picture shown before stays, in silence, or it says
                that it shows another, which it does not; stage: it says it is elsewhere; sprayer: none
    torn        camera: the last rows of a frame are missing
    alarm       stage and sprayer: the call fails, so do all that follow, until it is opened again
    late        the call does what it should, `late_s` late

Chance is drawn from `seed` and goes on through openings of the rig within one process. `Campaign` counts what happened.
"""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Self, cast

import numpy as np
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PrivateAttr, model_validator

from natadv.errors import ConnectError, DeviceError, FrameTimeoutError
from natadv.images import Image
from natadv.raindrops.drops import Drops
from natadv.raindrops.pose import Pose
from rigs.camera.base import Camera, CameraInfo
from rigs.clock import Clock
from rigs.frame import Frame
from rigs.screen.base import ReadsBack, Screen
from rigs.settings import Settings
from rigs.sprayer.base import Placer, Sprayer
from rigs.stage.base import Certain, Stage

_LOOKS = 50

_Chance = Annotated[float, Field(ge=0, le=1)]


class Chances(Settings):
    """Chances of faults at a call, together at most 1; see the module."""

    stall: _Chance = 0.0
    disconnect: _Chance = 0.0
    late: _Chance = 0.0

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        if (total := sum(self.model_dump().values())) > 1:
            raise ValueError(f"chances add up to {total:g}, more than 1")
        return self


class CameraFaults(Chances):
    """A camera's."""

    wrong: _Chance = 0.0
    torn: _Chance = 0.0


class ScreenFaults(Chances):
    """A screen's."""

    wrong: _Chance = 0.0


class StageFaults(Chances):
    """A stage's."""

    wrong: _Chance = 0.0
    alarm: _Chance = 0.0


class SprayerFaults(Chances):
    """A sprayer's."""

    alarm: _Chance = 0.0


@dataclass(slots=True)
class Campaign:
    """The chance of faults and what came of it, for all openings of a rig.

    Attributes:
        chance: source of it.
        happened: how often each (device, fault) did.
        opens_failing: openings of the rig that are still to fail.
    """

    chance: np.random.Generator
    happened: Counter[tuple[str, str]] = field(default_factory=Counter)
    opens_failing: int = 0

    @property
    def total(self) -> int:
        """Faults so far."""
        return sum(self.happened.values())


class FaultSettings(Settings):
    """The `faults:` block of a rig's file; see the module.

    Attributes:
        seed: of their chance; null for another each time the program starts.
        stall_s: of the machine's clock.
        late_s: of the rig's clock.
        opens_failing: openings that fail after a disconnect.
    """

    seed: NonNegativeInt | None = 0
    camera: CameraFaults = CameraFaults()
    screen: ScreenFaults = ScreenFaults()
    stage: StageFaults = StageFaults()
    sprayer: SprayerFaults = SprayerFaults()
    stall_s: NonNegativeFloat = 1.0
    late_s: NonNegativeFloat = 1.0
    opens_failing: NonNegativeInt = 1
    _campaign: Campaign | None = PrivateAttr(None)

    @property
    def campaign(self) -> Campaign:
        """The one campaign of these settings in this process."""
        if self._campaign is None:
            self._campaign = Campaign(np.random.default_rng(self.seed))
        return self._campaign

    def check_open(self) -> None:
        """Fail as the opening of a rig does after a disconnect.

        Raises:
            ConnectError: if it is to fail.
        """
        if self.campaign.opens_failing:
            self.campaign.opens_failing -= 1
            raise ConnectError("rig: a device is not there (a fault made on purpose)")

    def wrap_camera(self, camera: Camera, clock: Clock) -> Camera:
        """Return the camera with its faults."""
        return _FaultyCamera(camera, self._faults("camera", self.camera, clock))

    def wrap_screen(self, screen: Screen, clock: Clock) -> Screen:
        """Return the screen with its faults."""
        faulty = _FaultyReadBack if isinstance(screen, ReadsBack) else _FaultyScreen
        return faulty(screen, self._faults("screen", self.screen, clock))

    def wrap_stage(self, stage: Stage, clock: Clock) -> Stage:
        """Return the stage with its faults."""
        faulty = _FaultyCertain if isinstance(stage, Certain) else _FaultyStage
        return faulty(stage, self._faults("stage", self.stage, clock))

    def wrap_sprayer(self, sprayer: Sprayer, clock: Clock) -> Sprayer:
        """Return the sprayer with its faults."""
        faulty = _FaultyPlacer if isinstance(sprayer, Placer) else _FaultySprayer
        return faulty(sprayer, self._faults("sprayer", self.sprayer, clock))

    def _faults(self, device: str, chances: Chances, clock: Clock) -> "_Faults":
        return _Faults(device, chances.model_dump(), clock, self)


class _Faults:
    """The faults of one open device."""

    def __init__(self, device: str, chances: Mapping[str, float], clock: Clock, settings: FaultSettings) -> None:
        self._device, self._chances, self._clock, self._settings = device, chances, clock, settings
        self._closed = threading.Event()
        self._broken: str | None = None

    def call(self, share: float = 1.0) -> str | None:
        """Draw for a call: fail, or come late, or return the fault that is the device's own to commit.

        Args:
            share: of the chances; less than 1 for one of many looks.

        Raises:
            DeviceError: if the call fails.
        """
        if self._broken:
            raise DeviceError(f"{self._device}: {self._broken} (a fault made on purpose)")
        fault = self._draw(share)
        match fault:
            case "stall":
                self._closed.wait(self._settings.stall_s)
                if self._device == "camera":
                    raise FrameTimeoutError("camera: no frame came in time (a fault made on purpose)")
                raise DeviceError(f"{self._device}: no answer (a fault made on purpose)")
            case "disconnect":
                self._settings.campaign.opens_failing = self._settings.opens_failing
                self._break("gone")
            case "alarm":
                self._break("ALARM:1")
            case "late":
                self._clock.sleep(self._settings.late_s)
        return fault

    def close(self) -> None:
        """Let a call that hangs go."""
        self._closed.set()

    def somewhere(self, pose: Pose) -> Pose:
        """Return another pose."""
        shift = self._settings.campaign.chance.uniform(5, 50, 2)
        return Pose(pose.x_mm + float(shift[0]), pose.y_mm - float(shift[1]), pose.angle_deg)

    def look(self) -> str | None:
        """Draw for a look at the device, of which a call brings dozens; the rest is `call`'s."""
        return self.call(1 / _LOOKS) if self._broken or any(self._chances.values()) else None

    def _draw(self, share: float = 1.0) -> str | None:
        campaign = self._settings.campaign
        place, low = campaign.chance.random(), 0.0
        for fault, chance in self._chances.items():
            low += chance * share
            if place < low:
                campaign.happened[self._device, fault] += 1
                return fault
        return None

    def _break(self, how: str) -> None:
        self._broken = how
        raise DeviceError(f"{self._device}: {how} (a fault made on purpose)")


class _FaultyCamera:
    def __init__(self, camera: Camera, faults: _Faults) -> None:
        self._camera, self._faults = camera, faults
        self._last: Frame | None = None

    @property
    def info(self) -> CameraInfo:
        return self._camera.info

    def read(self) -> Frame:
        fault = self._faults.call()
        frame = self._camera.read()
        if fault == "torn":
            frame = replace(frame, image=frame.image[: len(frame.image) * 2 // 3])
        if fault == "wrong" and self._last is not None:
            frame = replace(frame, timestamp_s=self._last.timestamp_s)
        self._last = frame
        return frame

    def close(self) -> None:
        self._faults.close()
        self._camera.close()


class _FaultyScreen:
    def __init__(self, screen: Screen, faults: _Faults) -> None:
        self._screen, self._faults = screen, faults

    def show(self, image: Image) -> None:
        if self._faults.call() != "wrong":
            self._screen.show(image)

    def close(self) -> None:
        self._faults.close()
        self._screen.close()


class _FaultyReadBack(_FaultyScreen):
    def changed(self) -> str | None:
        if self._faults.look() == "wrong":
            return "screen: shows other pixels (a fault made on purpose)"
        return cast(ReadsBack, self._screen).changed()


class _FaultyStage:
    def __init__(self, stage: Stage, faults: _Faults) -> None:
        self._stage, self._faults = stage, faults
        self._lies = False

    def follow(self, path: Sequence[Pose]) -> None:
        self._lies = self._faults.call() == "wrong"
        self._stage.follow(path)

    def pose(self) -> Pose | None:
        return self._said(self._stage.pose())

    def pose_at(self, time_s: float) -> Pose | None:
        self._look()
        return self._said(self._stage.pose_at(time_s))

    def is_moving(self) -> bool:
        self._look()
        return self._stage.is_moving()

    def _look(self) -> None:
        if self._faults.look() == "wrong":
            self._lies = True

    def stop(self) -> None:
        self._stage.stop()

    def close(self) -> None:
        self._faults.close()
        self._stage.close()

    def _said(self, pose: Pose | None) -> Pose | None:
        return self._faults.somewhere(pose) if self._lies and pose is not None else pose


class _FaultyCertain(_FaultyStage):
    def is_at_rest(self) -> bool:
        return cast(Certain, self._stage).is_at_rest()


class _FaultySprayer:
    def __init__(self, sprayer: Sprayer, faults: _Faults) -> None:
        self._sprayer, self._faults = sprayer, faults

    def spray(self, duration_s: float) -> None:
        self._faults.call()
        self._sprayer.spray(duration_s)

    def dry(self) -> None:
        self._faults.call()
        self._sprayer.dry()

    def close(self) -> None:
        self._faults.close()
        self._sprayer.close()


class _FaultyPlacer(_FaultySprayer):
    def place(self, drops: Drops, duration_s: float) -> None:
        self._faults.call()
        cast(Placer, self._sprayer).place(drops, duration_s)
