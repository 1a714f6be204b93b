"""A rig from YAML: which camera, screen, stage and sprayer, at which settings."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import Field, NonNegativeFloat, model_validator

from natadv.errors import ConfigError
from rigs.bench import Bench, BenchSettings
from rigs.camera.base import Camera
from rigs.camera.simulated import SimulatedCamera, SimulatedCameraSettings
from rigs.clock import Clock, RealClock, VirtualClock
from rigs.geometry import ScreenGeometry
from rigs.projection import project
from rigs.screen.base import Screen
from rigs.screen.simulated import SimulatedScreen, SimulatedScreenSettings
from rigs.settings import Settings, load_settings
from rigs.sprayer.base import Sprayer
from rigs.sprayer.simulated import SimulatedSprayer, SimulatedSprayerSettings
from rigs.stage.base import Stage
from rigs.stage.simulated import SimulatedStage, SimulatedStageSettings


@dataclass(frozen=True, slots=True)
class Travel:
    """How far a session may carry the plate.

    Attributes:
        radius_mm: from home, in any direction.
        angle_deg: to either side.
    """

    radius_mm: float
    angle_deg: float


@dataclass(frozen=True, slots=True)
class Rig:
    """A rig whose devices are open.

    Attributes:
        settle_s: how long the screen and the plate need to come to rest after a change.
        world: the simulated world behind the devices, if they are simulated.
    """

    camera: Camera
    screen: Screen
    stage: Stage
    sprayer: Sprayer
    clock: Clock
    geometry: ScreenGeometry
    travel: Travel
    settle_s: float
    world: Bench | None = None

    def reseed(self, seed: int | Sequence[int]) -> None:
        """Begin a new stretch of chance where chance is simulated; a real rig has its own."""
        if self.world is not None:
            self.world.reseed(seed)


class RigSettings(Settings):
    """A rig's YAML file.

    Attributes:
        settle_s: see Rig.
        bench: the room in which the simulated devices stand.
        file: where it was read from; set by `load_rig`.
    """

    name: str
    camera: SimulatedCameraSettings
    screen: SimulatedScreenSettings
    stage: SimulatedStageSettings
    sprayer: SimulatedSprayerSettings
    bench: BenchSettings
    settle_s: NonNegativeFloat = 0.2
    file: Annotated[str, Field(exclude=True)] = ""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        screen = self.screen
        if not screen.pitch_mm <= screen.picture_mm <= min(screen.width_mm, screen.height_mm):
            raise ValueError(
                f"the screen is {screen.width_mm:g} × {screen.height_mm:g} mm with pixels of {screen.pitch_mm:g} mm; "
                f"a picture_mm of {screen.picture_mm:g} does not fit"
            )
        height, width = self.frame_size
        xs, ys = zip(*self.geometry().corners_px, strict=True)
        if min(xs) < -0.5 or min(ys) < -0.5 or max(xs) > width - 0.5 or max(ys) > height - 0.5:
            raise ValueError("the shown picture reaches out of the camera's frame; widen view_mm or shrink picture_mm")
        return self

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width of the camera's frames, in pixels."""
        return self.camera.frame_size

    def geometry(self) -> ScreenGeometry:
        """Return where the shown picture lies in the camera's frames."""
        half = self.screen.picture_mm / 2
        corners = np.array([(-half, -half), (half, -half), (half, half), (-half, half)])
        a, b, c, d = project(self.camera.homography(self.bench), corners)
        return ScreenGeometry(tuple((float(x), float(y)) for x, y in (a, b, c, d)))  # type: ignore[arg-type]

    @contextmanager
    def open(self, *, realtime: bool = False) -> Iterator[Rig]:
        """Open all devices, and let all of them go at the end, the sprayer first.

        Args:
            realtime: let a simulated world run by the machine's clock, and lose the frames that it cannot render in
                time, as a live camera would; otherwise its clock waits for the frames.
        """
        clock: Clock = RealClock() if realtime else VirtualClock()
        world = Bench(self.bench, clock)
        geometry = self.geometry()
        with ExitStack() as opened:
            camera = opened.enter_context(closing(SimulatedCamera(self.camera, world, geometry)))
            screen = opened.enter_context(closing(SimulatedScreen(self.screen, world)))
            stage = opened.enter_context(closing(SimulatedStage(self.stage, world)))
            sprayer = opened.enter_context(closing(SimulatedSprayer(self.sprayer, world)))
            travel = Travel(self.stage.travel_mm, self.stage.travel_deg)
            yield Rig(camera, screen, stage, sprayer, clock, geometry, travel, self.settle_s, world)


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
