"""Annotated video: the frames that a live run looked at, with what it said of them."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
import cv2
import numpy as np

from edge.events import Event
from edge.sinks import Observation
from natadv.durable import file_error
from natadv.errors import ConfigError
from natadv.images import Image

VIDEO_SUFFIXES: Final = (".mkv", ".mp4")
_TICKS: Final = 1000  # of the video's clock, a second
_USUAL_FPS: Final = 30  # what the header says; every frame has a time of its own
_WHITE, _GREEN, _RED = (255, 255, 255), (90, 230, 90), (255, 100, 100)
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


class AnnotatedVideo:
    """The frames that were looked at, with what was said of them, in H.264 at the times they were taken.

    Of an .mkv all but the last second can be played even if the process is killed; an .mp4 needs its end.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        """Name the file; it is begun with the first frame.

        Raises:
            ConfigError: if its suffix is neither .mkv nor .mp4, its folder is missing, or it exists.
        """
        if path.suffix.lower() not in VIDEO_SUFFIXES:
            raise ConfigError(f"{path}: expected a video named {' or '.join(VIDEO_SUFFIXES)}")
        if not path.parent.is_dir():
            raise ConfigError(f"{path}: the folder {path.parent} does not exist; make it first")
        if path.exists() and not overwrite:
            raise ConfigError(f"{path}: exists already; choose another name or say --overwrite")
        self._path = path
        self._container: av.container.OutputContainer | None = None
        self._begin_s = 0.0
        self._last = -1

    def write(self, observation: Observation) -> None:
        """Append a frame.

        Raises:
            ResourceError: if the disk is full.
            DataError: if it cannot be written for another reason.
        """
        frame = observation.shot.frame
        try:
            if self._container is None:
                self._container = self._begin(frame.image)
                self._begin_s = frame.timestamp_s
            height, width = self._stream.height, self._stream.width
            picture = frame.image[:height, :width]
            if picture.shape[:2] != (height, width):
                picture = np.asarray(cv2.resize(picture, (width, height)), np.uint8)
            video = av.VideoFrame.from_ndarray(annotated(picture, observation), format="rgb24")
            # Two frames within a millisecond still need different times.
            self._last = max(self._last + 1, round((frame.timestamp_s - self._begin_s) * _TICKS))
            video.pts, video.time_base = self._last, Fraction(1, _TICKS)
            self._container.mux(self._stream.encode(video))
        except (av.FFmpegError, OSError) as error:
            raise file_error(self._path, OSError(error.errno, error.strerror)) from error

    def note(self, event: Event) -> None:
        """Leave events out: a video shows frames."""

    def close(self) -> None:
        """End the file; may be called twice.

        Raises:
            ResourceError: if the disk is full.
            DataError: if it cannot be written for another reason.
        """
        container, self._container = self._container, None
        if container is None:
            return
        try:
            with container:
                container.mux(self._stream.encode(None))
        except (av.FFmpegError, OSError) as error:
            raise file_error(self._path, OSError(error.errno, error.strerror)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self, image: Image) -> av.container.OutputContainer:
        # Matroska keeps a cluster, five seconds by default, in memory: a killed process would lose it.
        options = {"cluster_time_limit": "1000"} if self._path.suffix.lower() == ".mkv" else {}
        container = av.open(str(self._path), "w", options={"flush_packets": "1", **options})
        # Encoding shares the processor with the model: one thread, and the cheapest way of it.
        self._stream = container.add_stream(
            "libx264", rate=_USUAL_FPS, options={"preset": "ultrafast", "tune": "zerolatency", "crf": "23"}
        )
        self._stream.codec_context.thread_count = 1
        self._stream.codec_context.time_base = Fraction(1, _TICKS)
        self._stream.pix_fmt = "yuv420p"  # halves the colours' resolution, so both sides must be even
        self._stream.height, self._stream.width = (side - side % 2 for side in image.shape[:2])
        return container


def annotated(image: Image, observation: Observation) -> Image:
    """Return a copy of an image with the prediction in its corner, green or red where the truth is known."""
    picture = np.ascontiguousarray(image).copy()
    truth, prediction = observation.shot.label, observation.prediction
    colour = _WHITE if truth is None else _GREEN if truth == prediction.label else _RED
    first = f"{prediction.label} {100 * prediction.confidence:.0f}%"
    if truth not in {None, prediction.label}:
        first += f" (is {truth})"
    second = f"{observation.fps:.0f} fps, {1e3 * observation.age_s:.0f} ms old"
    if prediction.score is not None:
        second += f", score {prediction.score:.2f}"
    scale = max(0.35, picture.shape[0] / 800)
    line_px, left_px = round(30 * scale), round(8 * scale)
    picture[: round(2.4 * line_px)] //= 3  # dark ground, so that the text is read on any image
    for row, (text, ink) in enumerate(((first, colour), (second, _WHITE)), start=1):
        cv2.putText(picture, text, (left_px, row * line_px), _FONT, scale, ink, 1, cv2.LINE_AA)
    return picture
