"""A webcam by its number or device, as OpenCV opens it."""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np

from edge.source import Shot
from edge.whole_frames import WholeFrames
from natadv.errors import ConnectError, FrameTimeoutError
from rigs.frame import Frame


class Webcam(WholeFrames):
    """Frames of an open camera; their time is when they reached us, for OpenCV tells no better one."""

    labels: tuple[str, ...] = ()
    live = True

    def __init__(self, video: Any, name: int | str) -> None:
        self._video = video
        self._name = name

    def shots(self, stop: threading.Event) -> Generator[Shot, None, None]:
        """Yield frames until `stop`; a frame that does not come is an error, never a black image."""
        index = 0
        while not stop.is_set():
            ok, bgr = self._video.read()
            if not ok or bgr is None:
                raise FrameTimeoutError(f"camera {self._name}: no frame after {index}; is it still plugged in?")
            image = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
            yield Shot(Frame(image, index, self.now_s()))
            index += 1


@contextmanager
def open_webcam(name: int | str, connect: Callable[[Any], Any] = cv2.VideoCapture) -> Iterator[Webcam]:
    """Open a webcam and let it go at the end.

    Args:
        name: its number, which may be another's after the next start, or its device, as in /dev/v4l/by-id.
        connect: how.

    Raises:
        ConnectError: if there is no such camera.
    """
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # our one line says it
    try:
        video = connect(name)
    finally:
        cv2.utils.logging.setLogLevel(level)
    try:
        if not video.isOpened():
            raise ConnectError(f"camera {name}: cannot be opened; `ls /dev/v4l/by-id` shows those that are here")
        # Where the driver keeps a queue, old frames would wait in it.
        video.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        yield Webcam(video, name)
    finally:
        video.release()
