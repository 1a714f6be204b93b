"""The `wet` camera: another camera, and drops in front of it that are not there.

It gives a rig of real drivers rain without water. The drops are the bench's, the plate's pose is the stage's at the
moment of each frame, and the light is the frame's own, bent by the same optics as the simulated camera's. A frame
through dry glass is handed on as it is, bit for bit; one through wet glass is a function of frame, drops and pose
alone, so that what was recorded can be computed again and compared.
"""

import threading
from collections.abc import Callable
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import NonNegativeFloat, PositiveFloat, create_model, model_validator

from natadv.errors import DeviceError
from natadv.images import Image
from natadv.raindrops.drops import Drops
from natadv.raindrops.glass import WetGlass
from natadv.raindrops.light import decode, encode
from natadv.raindrops.optics import Optics
from natadv.raindrops.pose import Pose
from natadv.raindrops.scene import Scene
from rigs.bench import Bench, BenchSettings
from rigs.camera.base import Camera, CameraInfo, CameraSettings
from rigs.frame import DropState, Frame
from rigs.geometry import ScreenGeometry
from rigs.room import Room
from rigs.screen.base import ScreenSettings
from rigs.stage.base import Stage


class WetCameraSettings(CameraSettings):
    """Drops over another camera's frames.

    Attributes:
        camera: the other camera's block.
        view_mm: width of the plane at the screen's distance that a frame covers.
        aperture_mm: diameter of the lens's entrance pupil; the larger, the softer the drops.
    """

    poses: ClassVar[bool] = True

    kind: Literal["wet"]
    camera: CameraSettings
    view_mm: PositiveFloat
    aperture_mm: NonNegativeFloat = 2.0

    @classmethod
    def fitting(cls, data: dict[str, Any]) -> type[Self]:
        """Return the class whose inner camera has the settings of the driver that its block names."""
        from rigs.drivers import settings_of  # noqa: PLC0415  # which itself imports the drivers as they are named

        inner: Any = {"camera": (settings_of("camera", data.get("camera")), ...)}
        return create_model(cls.__name__, __base__=cls, **inner)

    @model_validator(mode="before")
    @classmethod
    def _one_rate(cls, data: Any) -> Any:
        inner = data.get("camera") if isinstance(data, dict) else None
        return {"fps": inner["fps"], **data} if isinstance(inner, dict) and "fps" in inner else data

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.camera.poses:
            raise ValueError(f"a camera of kind {self.camera.kind} has its own glass; put a real one behind this")
        if self.fps != self.camera.fps:
            raise ValueError(f"{self.fps:g} fps, of a camera with {self.camera.fps:g}; leave fps to the inner camera")
        return self

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width of its frames, in pixels."""
        return self.camera.frame_size

    def geometry(self, screen: ScreenSettings, bench: BenchSettings | None) -> ScreenGeometry | None:
        """Return what the inner camera knows of where the picture is."""
        return self.camera.geometry(screen, bench)

    def optics(self, bench: BenchSettings) -> Optics:
        """Return the optics of this camera on a bench."""
        height, width = self.frame_size
        return Optics(
            width_px=width,
            height_px=height,
            view_mm=self.view_mm,
            screen_mm=bench.screen_mm,
            glass_mm=bench.glass_mm,
            aperture_mm=self.aperture_mm,
        )

    def open(self, room: Room, stage: Stage) -> "WetCamera":
        """Open the inner camera."""
        bench, region = room.bench("camera"), room.picture("camera")
        rain = Rain(self.optics(bench.settings), region, bench.settings.ambient)
        return WetCamera(self.camera.open(room, stage), bench, stage, rain)


class Rain:
    """Renders drops over frames; may be called from any thread."""

    def __init__(self, optics: Optics, picture: ScreenGeometry, ambient: float) -> None:
        """Prepare to render.

        Args:
            optics: of the camera whose frames they are.
            picture: where drops are counted.
            ambient: linear light beyond the frame.
        """
        self._optics = optics
        self._region = np.array(picture.corners_px)
        self._ambient = ambient
        self._turn = threading.Lock()
        # What a pose does not change is made once per spray, and once per picture.
        self._glass: tuple[Drops, WetGlass] | None = None
        self._scene: tuple[Image, Scene] | None = None

    def over(self, image: Image, drops: Drops, pose: Pose) -> tuple[Image, DropState]:
        """Return what is seen of `image`, uint8 RGB (h, w, 3), through the plate in this pose, and how wet it is."""
        with self._turn:
            if self._glass is None or self._glass[0] is not drops:
                self._glass = (drops, WetGlass(drops, self._optics))
            glass = self._glass[1]
            if glass.layer is None and glass.film is None:
                return image, DropState(0, 0.0)
            if self._scene is None or not np.array_equal(self._scene[0], image):
                self._scene = (image, Scene(decode(image), ambient=self._ambient))
            view = glass.see(self._scene[1], pose)
        return encode(view.linear), DropState(len(drops), view.coverage(self._region))


class WetFrame(Frame):
    """A frame as it was grabbed, whose drops are rendered when someone looks at it, and once."""

    __slots__ = ("_rendering", "_size")
    _rendering: "_Rendering"
    _size: tuple[int, ...]

    def __new__(cls, *given: Any, **fields: Any) -> Any:
        """Make one; `dataclasses.replace`, which gives all fields, makes a plain frame of it, rendered."""
        return Frame(**fields) if "image" in fields else super().__new__(cls)

    def __init__(self, grabbed: Frame, render: Callable[[], tuple[Image, DropState, Pose]]) -> None:
        """Keep what is needed to render.

        Args:
            grabbed: the inner camera's frame.
            render: gives image, drops and pose.
        """
        parts = {"index": grabbed.index, "timestamp_s": grabbed.timestamp_s}
        for name, value in {**parts, "_rendering": _Rendering(render), "_size": grabbed.shape}.items():
            object.__setattr__(self, name, value)  # a frame is frozen

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image, which need not be rendered for it."""
        return self._size

    def cropped(self, box: tuple[int, int, int, int]) -> Frame:
        """Return the part of the frame, to be rendered as late."""
        left, top, right, bottom = box

        def part() -> tuple[Image, DropState, Pose]:
            image, drops, pose = self._rendering.result()
            return np.ascontiguousarray(image[top:bottom, left:right]), drops, pose

        cut = WetFrame(self, part)
        object.__setattr__(cut, "_size", (bottom - top, right - left, 3))
        return cut

    @property
    def image(self) -> Image:
        """Uint8 RGB, (h, w, 3), seen through the drops."""
        return self._rendering.result()[0]

    @property
    def drops(self) -> DropState:
        """How wet the plate was."""
        return self._rendering.result()[1]

    @property
    def pose(self) -> Pose:
        """Where the plate was."""
        return self._rendering.result()[2]


class _Rendering:
    """What one frame looks like, made once by whichever thread asks first."""

    def __init__(self, render: Callable[[], tuple[Image, DropState, Pose]]) -> None:
        self._turn = threading.Lock()
        self._render: Callable[[], tuple[Image, DropState, Pose]] | None = render
        self._made: tuple[Image, DropState, Pose] | None = None

    def result(self) -> tuple[Image, DropState, Pose]:
        with self._turn:
            if self._made is None and self._render is not None:
                self._made, self._render = self._render(), None  # the grabbed image may go now
            if self._made is None:
                raise ValueError("expected a frame that can be rendered")
            return self._made


class WetCamera:
    """A `Camera` over another one.

    What cannot wait is done when a frame is read: its drops and pose are noted. It is rendered when it is looked at,
    which the session does while it writes a clip and the stage goes to the next: so the camera's rate does not hang on
    the renderer's. A stage that did not know where the plate was is asked again then: later reports may have told it.
    """

    def __init__(self, camera: Camera, world: Bench, stage: Stage, rain: Rain) -> None:
        self._camera, self._world, self._stage, self._rain = camera, world, stage, rain

    @property
    def info(self) -> CameraInfo:
        """What it delivers."""
        return self._camera.info

    def read(self) -> Frame:
        """Return the inner camera's next frame through the bench's drops.

        Where the stage does not know where the plate was then, looking at the frame is a DeviceError.

        Raises:
            DeviceError: as the inner camera.
        """
        frame, drops = self._camera.read(), self._world.drops
        pose = self._stage.pose_at(frame.timestamp_s)
        return WetFrame(frame, lambda: self._through(frame, drops, pose))

    def _through(self, frame: Frame, drops: Drops, pose: Pose | None) -> tuple[Image, DropState, Pose]:
        pose = pose or self._stage.pose_at(frame.timestamp_s)
        if pose is None:
            raise DeviceError(
                f"camera (wet): the stage does not know where the plate was at frame {frame.index}; "
                "free the machine, or take a stage that does"
            )
        return *self._rain.over(frame.image, drops, pose), pose

    def close(self) -> None:
        """Let the inner camera go."""
        self._camera.close()
