"""A video file's pictures with their times; live runs and the camera that plays recordings read it."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import av

from natadv.errors import DataError
from natadv.images import Image
from rigs.decoded import rgb


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video file says of itself.

    Attributes:
        width_px: of its pictures.
        height_px: of its pictures.
        fps: its average rate; None if it does not say.
    """

    width_px: int
    height_px: int
    fps: float | None


def probe_video(path: Path) -> VideoInfo:
    """Return what a video file is.

    Raises:
        DataError: if it is none.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise DataError(f"{path}: has no video stream")
            stream = container.streams.video[0]
            rate = stream.average_rate
            return VideoInfo(stream.width, stream.height, float(rate) if rate else None)
    except (av.FFmpegError, ValueError, OSError) as error:
        raise DataError(f"{path}: not a readable video ({error})") from error


def play_video(path: Path) -> Generator[tuple[float, Image], None, None]:
    """Yield seconds since the first picture, and the picture, uint8 RGB.

    Raises:
        DataError: if the file is torn.
    """
    count, first_s = 0, 0.0
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "SLICE"  # the model needs the other cores
            rate = float(stream.average_rate or 25)
            for frame in container.decode(stream):
                at_s = count / rate if frame.time is None else frame.time
                first_s = first_s if count else at_s
                count += 1
                yield at_s - first_s, rgb(frame)
            # A cut-off AVI simply ends; its header says how many frames there were.
            if container.format.name == "avi" and count < stream.frames:
                raise DataError(f"{path}: torn, {count} of {stream.frames} frames")
    except av.FFmpegError as error:
        raise DataError(f"{path}: torn after {count} frames ({error})") from error
