"""A rig from YAML: which camera, screen, stage and sprayer, at which settings."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, NonNegativeFloat, create_model, model_validator

from natadv.errors import ConfigError
from rigs.bench import Bench, BenchSettings
from rigs.calibration import CalibrationSettings, differs, load_calibration
from rigs.camera.base import Camera, CameraSettings
from rigs.camera.posed import PosedCamera
from rigs.camera.real import RealCameraSettings
from rigs.camera.simulated import SimulatedCameraSettings
from rigs.camera.wet import WetCameraSettings
from rigs.clock import Clock, RealClock, VirtualClock
from rigs.drivers import DRIVERS, settings_of
from rigs.faults import FaultSettings
from rigs.geometry import ScreenGeometry
from rigs.operator import Operator, TerminalOperator
from rigs.room import Room
from rigs.screen.base import Screen, ScreenSettings
from rigs.screen.simulated import SimulatedScreenSettings
from rigs.settings import Settings, load_settings
from rigs.sprayer.base import Sprayer, SprayerSettings
from rigs.stage.base import Stage, StageSettings
from rigs.stops import Stops


@dataclass(frozen=True, slots=True)
class Travel:
    """How far a session may carry the plate.

    Attributes:
        radius_mm: from home, in any direction.
        angle_deg: to either side.
        stops_at_poses: whether the stage comes to rest at each pose of a path.
    """

    radius_mm: float
    angle_deg: float
    stops_at_poses: bool = False


@dataclass(frozen=True, slots=True)
class Rig:
    """A rig whose devices are open.

    Attributes:
        room: the clock, and what else its devices share.
        settle_s: how long the screen and the plate need to come to rest after a change.
    """

    camera: Camera
    screen: Screen
    stage: Stage
    sprayer: Sprayer
    room: Room
    travel: Travel
    settle_s: float

    @property
    def clock(self) -> Clock:
        """The rig's time."""
        return self.room.clock

    @property
    def geometry(self) -> ScreenGeometry:
        """Where the shown picture lies in the camera's frames.

        Raises:
            ConfigError: if the rig has not been calibrated.
        """
        return self.room.picture("rig")

    def reseed(self, seed: int | Sequence[int]) -> None:
        """Begin a new stretch of chance where chance is simulated; a real rig has its own."""
        if self.room.world is not None:
            self.room.world.reseed(seed)


class RigSettings(Settings):
    """A rig's YAML file.

    Attributes:
        camera: this and the next three by the driver that their `kind` names; see rigs/drivers.py.
        bench: the room in which simulated devices stand.
        settle_s: see Rig.
        faults: that its devices commit, to test what must survive them.
        calibration: file of what was measured of it, beside this one; simulated devices know without.
        file: where it was read from; set by `load_rig`.
    """

    name: str
    camera: CameraSettings
    screen: ScreenSettings
    stage: StageSettings
    sprayer: SprayerSettings
    bench: BenchSettings | None = None
    settle_s: NonNegativeFloat = 0.2
    faults: FaultSettings | None = None
    calibration: str | None = None
    file: Annotated[str, Field(exclude=True)] = ""

    @classmethod
    def fitting(cls, data: dict[str, Any]) -> type[Self]:
        """Return the class whose devices have the settings of the drivers that the file names."""
        fields: Any = {device: (settings_of(device, data.get(device)), ...) for device in DRIVERS}
        return create_model(cls.__name__, __base__=cls, **fields)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        simulated = [device for device in DRIVERS if getattr(self, device).kind == "simulated"]
        if simulated and self.bench is None:
            raise ValueError(f"the {simulated[0]} is simulated, so a `bench:` block is needed; see simulated.yaml")
        grabs = self.camera.camera if isinstance(self.camera, WetCameraSettings) else self.camera
        if isinstance(grabs, RealCameraSettings) and self.settle_s <= grabs.hold_s:
            raise ValueError(
                f"settle_s {self.settle_s:g} is no longer than the camera's hold_s {grabs.hold_s:g}: "
                "frames of the last picture could pass for the next one's"
            )
        screen = self.screen
        if isinstance(self.camera, SimulatedCameraSettings):
            if not isinstance(screen, SimulatedScreenSettings):
                raise ValueError(
                    "a simulated camera sees nothing but a simulated screen; make both real or both simulated"
                )
            if not screen.pitch_mm <= screen.picture_mm <= min(screen.width_mm, screen.height_mm):
                raise ValueError(
                    f"the screen is {screen.width_mm:g} × {screen.height_mm:g} mm with pixels of "
                    f"{screen.pitch_mm:g} mm; a picture_mm of {screen.picture_mm:g} does not fit"
                )
        known = self.camera.geometry(screen, self.bench)
        if known is not None:
            height, width = self.frame_size
            xs, ys = known.outline().T
            if min(xs) < -0.5 or min(ys) < -0.5 or max(xs) > width - 0.5 or max(ys) > height - 0.5:
                raise ValueError(
                    "the shown picture reaches out of the camera's frame; "
                    "widen what the camera sees (view_mm, or its part of the display) or shrink the picture"
                )
        return self

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width of the camera's frames, in pixels."""
        return self.camera.frame_size

    def geometry(self) -> ScreenGeometry:
        """Return where the shown picture lies in the camera's frames.

        Raises:
            ConfigError: if the rig is real and has not been calibrated.
        """
        known = self._known()
        if known is None:
            raise ConfigError(f"{self.file or self.name}: not calibrated yet: natadv rig calibrate {self.file}")
        return known

    def _known(self) -> ScreenGeometry | None:
        calibration = self.measured()
        return calibration.geometry if calibration else self._known_geometry()

    @property
    def calibration_file(self) -> Path | None:
        """Where its calibration is kept; None where its file names none."""
        return Path(self.file).parent / self.calibration if self.calibration else None

    def measured(self) -> CalibrationSettings | None:
        """Return the calibration that the file names; None where it names none.

        Raises:
            ConfigError: if it is missing, torn, or another rig's.
        """
        path = self.calibration_file
        if path is None:
            return None
        found = load_calibration(path, self.file)
        if place := differs(found.devices, self.measured_devices):
            raise ConfigError(
                f"{path}: measured with {place.name} {place.then}, {self.file} has {place.now}; "
                f"make it anew: natadv rig calibrate {self.file}"
            )
        return found

    @property
    def measured_devices(self) -> dict[str, dict[str, Any]]:
        """The settings of the devices that a calibration is of."""
        return {"camera": self.camera.model_dump(mode="json"), "screen": self.screen.model_dump(mode="json")}

    def _known_geometry(self) -> ScreenGeometry | None:
        return self.camera.geometry(self.screen, self.bench)

    @contextmanager
    def open(
        self,
        *,
        realtime: bool = False,
        calibrated: bool = True,
        operator: Operator | None = None,
        stops: Stops | None = None,
    ) -> Iterator[Rig]:
        """Open all devices, and let all of them go at the end, the sprayer first.

        Args:
            realtime: let a simulated world run by the machine's clock, and lose the frames that it cannot render in
                time, as a live camera would; otherwise its clock waits for the frames.
            calibrated: False where it is about to be calibrated: what it knows of itself is not read.
            operator: the person at the rig; if left out, whoever sits at the terminal.
            stops: by which an emergency stop reaches what is being opened.
        """
        # A device that is real takes its time, whatever else is simulated.
        waits = not realtime and all(getattr(self, device).kind == "simulated" for device in DRIVERS)
        clock: Clock = VirtualClock() if waits else RealClock()
        world = Bench(self.bench, clock) if self.bench else None
        known = self._known() if calibrated else self._known_geometry()
        room = Room(clock, world, known, operator or TerminalOperator(), stops or Stops())
        with ExitStack() as opened:
            stage = opened.enter_context(closing(self.stage.open(room)))
            sprayer = opened.enter_context(closing(self.sprayer.open(room, stage)))
            screen = opened.enter_context(closing(self.screen.open(room)))
            camera = opened.enter_context(closing(self.camera.open(room, stage)))
            opened.callback(sprayer.close)
            if faults := self.faults:
                faults.check_open()
                camera, screen = faults.wrap_camera(camera, clock), faults.wrap_screen(screen, clock)
                stage, sprayer = faults.wrap_stage(stage, clock), faults.wrap_sprayer(sprayer, clock)
            if not self.camera.poses:
                camera = PosedCamera(camera, stage)
            travel = Travel(self.stage.travel_mm, self.stage.travel_deg, self.stage.stops_at_poses)
            yield Rig(camera, screen, stage, sprayer, room, travel, self.settle_s)


def load_rig(path: Path) -> RigSettings:
    """Read a rig's YAML file; the bare name of one that comes with natadv (`simulated`) will do.

    Raises:
        ConfigError: one line that names file, line and nearest key.
    """
    if not path.exists() and path.parent == Path() and not path.suffix:
        shipped = Path(__file__).with_name(f"{path}.yaml")
        if not shipped.exists():
            raise ConfigError(f"{path}: no such rig file, and none of that name comes with natadv")
        path = shipped
    rig = load_settings(path, RigSettings)
    return rig.model_copy(update={"file": str(path)})
