"""Record exactly so many seconds of frames, by the camera's own clock, with no frame lost or it says so."""

from collections.abc import Callable
from dataclasses import dataclass

from natadv.errors import DeviceError
from rigs.camera.base import Camera
from rigs.frame import Frame


def _nothing() -> None:
    pass


class FramesMissingError(DeviceError):
    """A recording has too few frames, or too many."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Frames of one recording.

    Attributes:
        frames: in order of time.
        lost: frames that the camera counted and we did not get.
    """

    frames: list[Frame]
    lost: int


def record_frames(camera: Camera, count: int, *, between: Callable[[], None] = _nothing) -> Recording:
    """Record `count` frames, however long they take; `between` is called after each, and may raise to give up."""
    frames = []
    for _ in range(count):
        frames.append(camera.read())
        between()
    return Recording(frames, _lost(frames))


def record_seconds(camera: Camera, duration_s: float, *, between: Callable[[], None] = _nothing) -> Recording:
    """Record the frames with t0 ≤ timestamp < t0 + `duration_s`, t0 being the first frame's.

    `between` is called after each, and may raise to give up.

    Raises:
        FramesMissingError: if the frames are not fps × duration ± 1.
        DeviceError: if their timestamps do not rise.
        FrameTimeoutError: if the camera gives no frame in time.
    """
    frames = [camera.read()]
    # A timestamp that is due at the end exactly belongs to the next recording; half a frame period tells the two
    # apart whatever the rounding of the device's clock.
    end_s = frames[0].timestamp_s + duration_s - 0.5 / camera.info.fps
    expected = camera.info.fps * duration_s
    # One too many is wrong already: a clock that hardly moves would be filmed for ever.
    while len(frames) <= expected + 1 and (frame := camera.read()).timestamp_s < end_s:
        if frame.timestamp_s <= frames[-1].timestamp_s:
            raise DeviceError(
                f"camera: frame {frame.index} is stamped {frame.timestamp_s:.4f} s, not after frame "
                f"{frames[-1].index} at {frames[-1].timestamp_s:.4f} s; check its clock"
            )
        frames.append(frame)
        between()
    recording = Recording(frames, _lost(frames))
    if abs(len(frames) - expected) > 1:
        raise FramesMissingError(
            f"camera: {len(frames)} frames in {duration_s:g} s where {camera.info.fps:g} fps make "
            f"{expected:.0f} ({recording.lost} lost by its counter); lower the rate or free the machine"
        )
    return recording


def _lost(frames: list[Frame]) -> int:
    return frames[-1].index - frames[0].index + 1 - len(frames) if frames else 0
