"""Clip: frames on disk, pixel for pixel as they were recorded, each with its time and pose.

A clip is a folder of three files, and its name appears only when all three are complete and synced:

    video.avi       the images; Ut Video in RGB, lossless and the quickest to decode, in the one container that takes it
    frames.parquet  a row per frame: index, time, pose, drops (a video file's own times are rounded)
    clip.json       ClipInfo: size, rate and the digests of the other two and of the pixels
"""

import hashlib
import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from av.video.plane import VideoPlane
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from natadv.durable import new_folder
from natadv.errors import ClipError
from natadv.images import Image
from natadv.raindrops.pose import Pose
from rigs.decoded import rgb
from rigs.frame import DropState, Frame
from rigs.geometry import Window

VIDEO, FRAMES, INFO = "video.avi", "frames.parquet", "clip.json"

_SCHEMA = pa.schema(
    {
        "index": pa.int64(),
        "timestamp_s": pa.float64(),
        "x_mm": pa.float64(),
        "y_mm": pa.float64(),
        "angle_deg": pa.float64(),
        "drop_count": pa.int64(),
        "drop_coverage": pa.float64(),
    }
)


class ClipInfo(BaseModel):
    """What `clip.json` says; the digests are SHA-256 in hex."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["natadv-clip/1"] = "natadv-clip/1"
    fps: float
    width_px: int
    height_px: int
    frame_count: int
    video_sha256: str
    frames_sha256: str
    pixels_sha256: str


@dataclass(frozen=True, slots=True)
class Clip:
    """A recorded clip; its images are decoded as they are asked for."""

    folder: Path
    info: ClipInfo

    def table(self) -> pa.Table:
        """Return the rows of `frames.parquet`, one a frame, in the order of the images.

        Raises:
            ClipError: if the file is damaged or does not fit the video.
        """
        path = self.folder / FRAMES
        try:
            table = pq.read_table(path, schema=_SCHEMA)
        except (OSError, pa.ArrowException) as error:
            raise ClipError(f"{path}: cannot be read; record the clip again") from error
        if table.num_rows != self.info.frame_count:
            raise ClipError(f"{path}: {table.num_rows} rows, {INFO} says {self.info.frame_count}")
        return table

    def images(self, *, threads: int = 1, window: Window | None = None) -> Generator[Image, None, None]:
        """Decode the images in order, uint8 RGB, (h, w, 3).

        Args:
            threads: frames decoded side by side.
            window: give this part of each image, which saves much of the work; None gives all of it.

        Raises:
            ClipError: if the video is torn, or holds more or fewer images than it should.
        """
        path = self.folder / VIDEO
        count = 0
        try:
            with av.open(str(path)) as container:
                stream = container.streams.video[0]
                stream.codec_context.thread_type = "FRAME"
                stream.codec_context.thread_count = threads
                for frame in container.decode(stream):
                    count += 1
                    yield _rgb(frame, window)
        except (av.FFmpegError, IndexError) as error:
            raise ClipError(f"{path}: torn after {count} frames ({error}); record the clip again") from error
        if count != self.info.frame_count:
            raise ClipError(f"{path}: torn, {count} of {self.info.frame_count} frames; record the clip again")

    def frames(self, *, threads: int = 1) -> Iterator[Frame]:
        """Yield the frames as the camera gave them: images with index, time, pose and drops.

        Raises:
            ClipError: as `images` and `table`.
        """
        for row, image in zip(self.table().to_pylist(), self.images(threads=threads), strict=True):
            yield _frame(row, image)

    def verify(self, *, pixels: bool = True) -> None:
        """Compare the clip with its digests.

        Args:
            pixels: decode the video and compare its pixels too, not its bytes alone.

        Raises:
            ClipError: at the first difference.
        """
        for name, expected in ((VIDEO, self.info.video_sha256), (FRAMES, self.info.frames_sha256)):
            path = self.folder / name
            try:
                found = _digest_of(path)
            except OSError as error:
                raise ClipError(f"{path}: cannot be read ({error.strerror or error}); record it again") from error
            if found != expected:
                raise ClipError(f"{path}: not the bytes that were recorded; record it again")
        if pixels:
            digest = hashlib.sha256()
            for image in self.images():
                digest.update(np.ascontiguousarray(image).data)
            if digest.hexdigest() != self.info.pixels_sha256:
                raise ClipError(f"{self.folder / VIDEO}: decodes to other pixels than were recorded")


def read_clip(folder: Path) -> Clip:
    """Open a clip; the video is not read yet.

    Raises:
        ClipError: if the folder or one of its files is missing or `clip.json` is not as it should be.
    """
    if not folder.is_dir():
        raise ClipError(f"{folder}: no such clip")
    for name in (VIDEO, FRAMES, INFO):
        if not (folder / name).is_file():
            raise ClipError(f"{folder}: {name} is missing; record the clip again")
    try:
        return Clip(folder, ClipInfo.model_validate_json((folder / INFO).read_bytes()))
    except (ValidationError, OSError) as error:
        raise ClipError(f"{folder / INFO}: not a natadv-clip/1 description; record it again") from error


def write_clip(folder: Path, frames: Sequence[Frame], fps: float, *, threads: int = 0) -> Clip:
    """Write frames as a new clip; its folder appears when it is complete and synced, or not at all.

    Args:
        folder: the clip's name; must not exist.
        frames: at least one, all of one size.
        fps: the camera's nominal rate; true times are kept a frame.
        threads: encoder threads, 0 for one a core.

    Raises:
        ValueError: if there are no frames or their sizes differ.
        ResourceError: if the disk is full.
        DataError: if it cannot be written for another reason.
    """
    if not frames:
        raise ValueError("expected at least one frame, got none")
    if len({frame.image.shape for frame in frames}) > 1:
        raise ValueError("expected frames of one size")
    height, width = frames[0].image.shape[:2]
    with new_folder(folder) as part:
        _encode(part / VIDEO, frames, fps, threads)
        pq.write_table(pa.Table.from_pylist([_row(frame) for frame in frames], _SCHEMA), part / FRAMES)
        digest = hashlib.sha256()
        for frame in frames:
            digest.update(np.ascontiguousarray(frame.image).data)
        info = ClipInfo(
            fps=fps,
            width_px=width,
            height_px=height,
            frame_count=len(frames),
            video_sha256=_digest_of(part / VIDEO),
            frames_sha256=_digest_of(part / FRAMES),
            pixels_sha256=digest.hexdigest(),
        )
        (part / INFO).write_text(json.dumps(info.model_dump(), indent=1) + "\n", encoding="utf-8")
    return Clip(folder, info)


def _encode(path: Path, frames: Sequence[Frame], fps: float, threads: int) -> None:
    height, width = frames[0].image.shape[:2]
    with av.open(str(path), "w") as container:
        rate = Fraction(fps).limit_denominator(1001)
        stream = container.add_stream("utvideo", rate=rate, options={"pred": "left"})
        stream.width, stream.height, stream.pix_fmt = width, height, "gbrp"
        stream.codec_context.thread_count = threads
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame.image), format="rgb24").reformat(
                format="gbrp", threads=1
            )
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def _rgb(frame: av.VideoFrame, window: Window | None) -> Image:
    """Return a decoded frame as an image; its planes are woven together at half the cost of a conversion."""
    if frame.format.name != "gbrp":
        image = rgb(frame)
        return window.of(image) if window else image
    green, blue, red = (_samples(plane) for plane in frame.planes)
    planes = (red, green, blue)
    return np.asarray(cv2.merge([window.of(plane) for plane in planes] if window else planes), np.uint8)


def _samples(plane: VideoPlane) -> NDArray[np.uint8]:
    samples: NDArray[np.uint8] = np.frombuffer(plane, np.uint8)  # type: ignore[call-overload]  # av's stubs hide that it is a buffer
    return samples.reshape(plane.height, plane.line_size)[:, : plane.width]


def _row(frame: Frame) -> dict[str, float | int | None]:
    pose, drops = frame.pose, frame.drops
    return {
        "index": frame.index,
        "timestamp_s": frame.timestamp_s,
        "x_mm": pose.x_mm if pose else None,
        "y_mm": pose.y_mm if pose else None,
        "angle_deg": pose.angle_deg if pose else None,
        "drop_count": drops.count if drops else None,
        "drop_coverage": drops.coverage if drops else None,
    }


def _frame(row: dict[str, float | int | None], image: Image) -> Frame:
    pose = None if row["x_mm"] is None else Pose(row["x_mm"], row["y_mm"] or 0.0, row["angle_deg"] or 0.0)
    count, coverage = row["drop_count"], row["drop_coverage"]
    drops = None if coverage is None else DropState(None if count is None else int(count), float(coverage))
    return Frame(image, int(row["index"] or 0), float(row["timestamp_s"] or 0.0), pose, drops)


def _digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
