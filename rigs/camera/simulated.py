"""The simulated camera: looks at the bench, frame after frame, by the bench's clock."""

import math
from typing import Annotated, ClassVar, Literal

import cv2
import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from natadv.errors import DeviceError
from natadv.raindrops.drops import Drops
from natadv.raindrops.glass import WetGlass
from natadv.raindrops.optics import Optics
from natadv.raindrops.scene import Scene
from rigs.bench import Bench, BenchSettings
from rigs.camera.base import CameraInfo, CameraSettings
from rigs.frame import DropState, Frame
from rigs.geometry import ScreenGeometry
from rigs.lens import Lens
from rigs.panel import Light, Panel
from rigs.projection import Matrix, project
from rigs.room import Room
from rigs.screen.base import ScreenSettings
from rigs.screen.simulated import SimulatedScreenSettings
from rigs.sensor import Sensor, SensorSettings
from rigs.stage.base import Stage

_WIDE_FACTOR = 3.0
_WIDE_REDUCTION = 4


class SimulatedCameraSettings(CameraSettings):
    """A camera with a thin lens, focused on the screen.

    Attributes:
        view_mm: width of the plane at the screen's distance that the frame covers, in the middle of the frame.
        aperture_mm: diameter of the lens's entrance pupil; the larger, the softer the drops.
        k1: the lens's radial distortion by Brown's model in units of the focal length, as OpenCV's.
        k2: its next term.
        blur_px: standard deviation of the blur of a lens that is not quite focused on the screen.
        exposure_s: how long the shutter is open, over which the screen's flicker averages; 0 is an instant.
        lost_frames: share of the frames that the driver loses, counter running on.
    """

    poses: ClassVar[bool] = True

    kind: Literal["simulated"]
    width_px: PositiveInt = 640
    height_px: PositiveInt = 480
    view_mm: PositiveFloat = 376.0
    aperture_mm: PositiveFloat = 2.0
    k1: Annotated[float, Field(gt=-1, lt=1)] = 0.0
    k2: Annotated[float, Field(gt=-1, lt=1)] = 0.0
    blur_px: NonNegativeFloat = 0.0
    exposure_s: NonNegativeFloat = 0.0
    lost_frames: Annotated[float, Field(ge=0, lt=1)] = 0.0
    sensor: SensorSettings = SensorSettings()

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width of its frames, in pixels."""
        return self.height_px, self.width_px

    def optics(self, bench: BenchSettings) -> Optics:
        """Return the optics of this camera on a bench.

        Raises:
            ValueError: if the two do not fit.
        """
        return Optics(
            width_px=self.width_px,
            height_px=self.height_px,
            view_mm=self.view_mm,
            screen_mm=bench.screen_mm,
            glass_mm=bench.glass_mm,
            aperture_mm=self.aperture_mm,
        )

    def open(self, room: Room, stage: Stage) -> "SimulatedCamera":
        """Open it."""
        return SimulatedCamera(self, room.bench("camera"), room.picture("camera"))

    def geometry(self, screen: ScreenSettings, bench: BenchSettings | None) -> ScreenGeometry | None:
        """Return where a simulated screen's picture lies: the bench says where both stand."""
        if bench is None or not isinstance(screen, SimulatedScreenSettings):
            return None
        corners, lens = project(self.homography(bench), screen.outline_mm), self.lens(bench)
        a, b, c, d = lens.bend(corners) if lens else corners
        return ScreenGeometry(tuple((float(x), float(y)) for x, y in (a, b, c, d)), lens)  # type: ignore[arg-type]

    def homography(self, bench: BenchSettings) -> Matrix:
        """Return the map from millimetres on the screen, from its centre, to pixels of a frame."""
        return bench.screen.homography(self.optics(bench).focal_px, self.frame_size)

    def lens(self, bench: BenchSettings) -> Lens | None:
        """Return what bends the picture that the homography gives; None for nothing.

        Drops are thrown about in the frame that is bent already, and the surround that they gather from beyond the
        frame is not bent: both change what a drop shows by less than its own outline does.

        Raises:
            ValueError: if the lens folds the picture over itself.
        """
        if not (self.k1 or self.k2):
            return None
        width, height = self.width_px - 1, self.height_px - 1
        lens = Lens(self.k1, self.k2, (width / 2, height / 2), self.optics(bench).focal_px)
        lens.straighten(np.array([(-1.0, -1.0), (width + 1, height + 1)]))
        return lens


class SimulatedCamera:
    """A `Camera` in the bench's world."""

    def __init__(self, settings: SimulatedCameraSettings, world: Bench, geometry: ScreenGeometry) -> None:
        self._settings = settings
        self._world = world
        self._region = np.array(geometry.corners_px)
        self._optics = settings.optics(world.settings)
        self._lens = settings.lens(world.settings)
        self._sensor = Sensor(settings.sensor, settings.frame_size, np.random.default_rng(world.settings.seed))
        self._start_s = world.clock.now_s()
        self._next = 0
        self._open = True
        # What a pose does not change is made once per picture, and once per spray.
        self._scene: tuple[Panel | None, Scene] = (None, self._look(None))
        self._glass: tuple[Drops, WetGlass] | None = None

    @property
    def info(self) -> CameraInfo:
        """What it delivers."""
        return CameraInfo(self._settings.width_px, self._settings.height_px, self._settings.fps)

    def read(self) -> Frame:
        """Wait for the next exposure and return its frame.

        Raises:
            DeviceError: if the camera is closed.
        """
        if not self._open:
            raise DeviceError("simulated camera: closed")
        passed_s = self._world.clock.now_s() - self._start_s
        # The small slack keeps a moment that is due now from counting as missed for its last bit.
        index = max(self._next, math.ceil(passed_s * self._settings.fps - 1e-6))
        while self._settings.lost_frames and self._world.chance.random() < self._settings.lost_frames:
            index += 1
        self._next = index + 1
        timestamp_s = self._start_s + index / self._settings.fps
        self._world.clock.sleep(timestamp_s - self._world.clock.now_s())
        return self._expose(index, timestamp_s)

    def close(self) -> None:
        """Close it."""
        self._open = False

    def _expose(self, index: int, time_s: float) -> Frame:
        world = self._world
        panel, drops, pose = world.panel_at(time_s), world.drops, world.pose_at(time_s)
        if panel is not self._scene[0]:
            self._scene = (panel, self._look(panel))
        if self._glass is None or drops is not self._glass[0]:
            self._glass = (drops, WetGlass(drops, self._optics))
        view = self._glass[1].see(self._scene[1], pose)
        light = view.linear
        if panel is not None and panel.flicker:
            light = light * np.float32(panel.brightness(time_s, self._settings.exposure_s))
        image = self._sensor.expose(light, world.chance)
        return Frame(image, index, time_s, pose, DropState(len(drops), view.coverage(self._region)))

    def _look(self, panel: Panel | None) -> Scene:
        """Return what the camera sees through dry glass, with the wide surround that drops gather from."""
        ambient = self._world.settings.ambient
        if panel is None:
            return Scene(np.full((*self._settings.frame_size, 3), ambient, np.float32), ambient=ambient)
        homography = self._settings.homography(self._world.settings)
        height, width = (max(1, round(n * _WIDE_FACTOR / _WIDE_REDUCTION)) for n in self._settings.frame_size)
        shrink_x, shrink_y = (
            wide / (_WIDE_FACTOR * n) for wide, n in zip((width, height), self._settings.frame_size[::-1], strict=True)
        )
        middle_x, middle_y = (self._settings.width_px - 1) / 2, (self._settings.height_px - 1) / 2
        to_wide = np.array(
            [
                [shrink_x, 0, (width - 1) / 2 - shrink_x * middle_x],
                [0, shrink_y, (height - 1) / 2 - shrink_y * middle_y],
                [0, 0, 1],
            ]
        )
        return Scene(
            self._blurred(panel.seen(homography, self._settings.frame_size, ambient, self._lens)),
            wide=panel.seen(to_wide @ homography, (height, width), ambient),
            wide_factor=_WIDE_FACTOR,
            ambient=ambient,
        )

    def _blurred(self, light: Light) -> Light:
        sigma = self._settings.blur_px
        return np.asarray(cv2.GaussianBlur(light, (0, 0), sigma), np.float32) if sigma else light
