"""A recording as a camera: a session's clips one after another, one clip, or a video file.

In real time it is a camera that runs freely, and frames that nobody reads are gone; else every frame waits to be read.
Frames of clips come with the poses and drops that were recorded with them, and with the gaps in their count.
"""

import itertools
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal

from natadv.errors import ConfigError, ConnectError, DataError, DeviceError
from natadv.images import Image
from natadv.raindrops.pose import Pose
from rigs.archive import SETTINGS, open_archive
from rigs.camera.base import Camera, CameraInfo
from rigs.camera.live import Grab, LiveCamera
from rigs.camera.real import RealCameraSettings, check_number, check_same
from rigs.clip import INFO, Clip, read_clip
from rigs.clock import Clock
from rigs.frame import DropState, Frame
from rigs.room import Room
from rigs.stage.base import Stage
from rigs.video import play_video, probe_video

_LATEST_S: Final = 1.0


class FileCameraSettings(RealCameraSettings):
    """A recording that plays as a camera.

    Attributes:
        path: a session's folder, a clip's folder, or a video file.
        clips: which of a session's.
        realtime: frames come at the rate they were taken at; else whenever one is read.
        repeat: begin again at the end, instead of failing.
    """

    poses: ClassVar[bool] = True

    kind: Literal["file"]
    path: Path
    clips: Literal["wet", "dry", "all"] = "all"
    realtime: bool = True
    repeat: bool = False

    def open(self, room: Room, stage: Stage) -> Camera:
        """Open the recording; its frame size and rate are compared with what was asked for.

        Raises:
            ConnectError: if it is missing, or no recording.
            SettingError: if its frames are of another size or rate.
        """
        try:
            play = _recording(self)
        except (ConfigError, DataError) as error:
            raise ConnectError(str(error)) from error
        info = CameraInfo(self.width_px, self.height_px, self.fps)
        if not self.realtime:
            return FileCamera(play(), info, room.clock, str(self.path))
        grabber = FileGrabber(play(), info, room.clock, str(self.path))
        return LiveCamera(
            grabber, room.clock, name=str(self.path), timeout_s=self.timeout_s, hold_s=self.hold_s, warm_up_s=0.0
        )


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """A frame of a recording.

    Attributes:
        at_s: since the recording's first frame.
        index: counted from there.
    """

    image: Image
    at_s: float
    index: int
    pose: Pose | None = None
    drops: DropState | None = None


class FileGrabber:
    """A recording in real time."""

    def __init__(self, frames: Iterator[Played], info: CameraInfo, clock: Clock, name: str) -> None:
        self._frames, self._info, self._clock, self._name = frames, info, clock, name
        self._next: Played | None = None
        self._begin_s: float | None = None

    @property
    def info(self) -> CameraInfo:
        """What it delivers."""
        return self._info

    def grab(self, timeout_s: float) -> Grab | None:
        """Return the next frame when its time has come.

        Raises:
            DeviceError: if the recording is over, torn, or cannot be decoded as fast as it was filmed.
        """
        if self._next is None:
            self._next = _next(self._frames, self._name)
        now_s = self._clock.now_s()
        if self._begin_s is None:
            self._begin_s = now_s
        due_s = self._begin_s + self._next.at_s
        if now_s - due_s > _LATEST_S:
            raise DeviceError(f"{self._name}: cannot be decoded as fast as it was filmed; set `realtime: false`")
        self._clock.sleep(min(timeout_s, due_s - now_s))
        if due_s - now_s > timeout_s:
            return None
        frame, self._next = self._next, None
        return Grab(frame.image, self._clock.now_s(), frame.index, due_s, "rig", frame.pose, frame.drops)

    def close(self) -> None:
        """Let the files go."""


class FileCamera:
    """A `Camera` that gives every frame of a recording, each when it is asked for; its clock runs as fast."""

    def __init__(self, frames: Generator[Played, None, None], info: CameraInfo, clock: Clock, name: str) -> None:
        self._frames, self._info, self._name = frames, info, name
        self._begin_s = clock.now_s()
        self._open = True

    @property
    def info(self) -> CameraInfo:
        """What it delivers."""
        return self._info

    def read(self) -> Frame:
        """Return the recording's next frame.

        Raises:
            DeviceError: if the camera is closed, or the recording over or torn.
        """
        if not self._open:
            raise DeviceError(f"{self._name}: closed")
        frame = _next(self._frames, self._name)
        return Frame(frame.image, frame.index, self._begin_s + frame.at_s, frame.pose, frame.drops)

    def close(self) -> None:
        """Let the files go."""
        self._open = False
        self._frames.close()


def _next(frames: Iterator[Played], name: str) -> Played:
    try:
        return next(frames)
    except StopIteration:
        raise DeviceError(f"{name}: the recording is over; `repeat: true` begins it again") from None
    except DataError as error:
        raise DeviceError(str(error)) from error


def _recording(settings: FileCameraSettings) -> Callable[[], Generator[Played, None, None]]:
    """Return what begins to play, after a look at size and rate.

    Raises:
        ConfigError, DataError: if it is no recording.
        SettingError: if it is another than was asked for.
    """
    path = settings.path
    if (path / SETTINGS).is_file():
        archive = open_archive(path)
        items = {item.number: item for item in archive.settings.items}
        kinds = ("wet", "dry") if settings.clips == "all" else (settings.clips,)
        clips = [archive.clip(items[one.item], one.kind) for one in archive.records() if one.kind in kinds]
        if not clips:
            raise ConfigError(f"{path}: has no clips yet of those asked for (clips: {settings.clips})")
    elif (path / INFO).is_file():
        clips = [read_clip(path)]
    elif path.is_file():
        video = probe_video(path)
        _check(settings, video.width_px, video.height_px, video.fps)
        return lambda: _over(lambda: _pictures(path), settings)
    else:
        raise ConfigError(f"{path}: no session's folder, clip's folder or video file")
    for clip in clips:
        _check(settings, clip.info.width_px, clip.info.height_px, clip.info.fps)
    return lambda: _over(lambda: _clips(clips, settings.fps), settings)


def _check(settings: FileCameraSettings, width_px: int, height_px: int, fps: float | None) -> None:
    name = str(settings.path)
    check_same(name, "width_px", settings.width_px, width_px)
    check_same(name, "height_px", settings.height_px, height_px)
    if fps is not None:
        check_number(name, "fps", settings.fps, fps)


def _over(play: Callable[[], Iterator[Played]], settings: FileCameraSettings) -> Generator[Played, None, None]:
    """Play it, and if it is to be repeated, on and on."""
    begin_s, first = 0.0, 0
    for _ in itertools.count() if settings.repeat else range(1):
        last: Played | None = None
        for frame in play():
            last = frame
            yield Played(frame.image, begin_s + frame.at_s, first + frame.index, frame.pose, frame.drops)
        if last is None:
            return
        begin_s, first = begin_s + last.at_s + 1 / settings.fps, first + last.index + 1


def _clips(clips: list[Clip], fps: float) -> Generator[Played, None, None]:
    begin_s, first = 0.0, 0
    for clip in clips:
        at_s, index = 0.0, 0
        zero: Frame | None = None
        for frame in clip.frames():
            zero = zero or frame
            at_s, index = frame.timestamp_s - zero.timestamp_s, frame.index - zero.index
            yield Played(frame.image, begin_s + at_s, first + index, frame.pose, frame.drops)
        begin_s, first = begin_s + at_s + 1 / fps, first + index + 1


def _pictures(path: Path) -> Generator[Played, None, None]:
    for index, (at_s, image) in enumerate(play_video(path)):
        yield Played(image, at_s, index)
