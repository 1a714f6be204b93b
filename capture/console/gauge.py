"""Gauge: what the newest frame says of light and focus, and whether frames come; for people, a few times a second."""

import threading
import time
from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.console.answers import View
from natadv.images import Image
from rigs.frame import Frame
from rigs.geometry import Point

_EVERY_S: Final = 0.5  # between two measurements
_BINS: Final = 64
_SIDE_PX: Final = 640  # a histogram needs no more
_RATE_OVER_S: Final = 1.5
_BLACK, _WHITE = 2, 253


class Gauge:
    """Looks at the newest frame when it is asked, at most twice a second; any thread may ask.

    Attributes:
        count: measurements so far.
    """

    def __init__(self, newest: Callable[[], Frame | None]) -> None:
        """Name who has the newest frame."""
        self.count = 0
        self._newest = newest
        self._lock = threading.Lock()
        self._view: View | None = None
        self._seen: Frame | None = None
        self._seen_s = 0.0
        self._measured_s = float("-inf")
        self._rate: tuple[float, int] | None = None  # when a rate was taken last, and the frame's number then
        self._fps: float | None = None

    def view(self, corners: tuple[Point, ...] | None) -> View | None:
        """Return what was measured last; None before the first frame.

        Args:
            corners: of the shown picture, whose focus it is; None: of the whole frame.
        """
        with self._lock:
            frame, now_s = self._newest(), time.monotonic()
            if frame is None:
                return None
            if frame is not self._seen:
                self._seen, self._seen_s = frame, now_s
                if self._view is None or now_s - self._measured_s >= _EVERY_S:
                    self._view = self._measure(frame, corners, now_s)
            age_s = now_s - self._seen_s
            if age_s > 2 * _RATE_OVER_S:
                self._fps, self._rate = None, None
            return (
                None
                if self._view is None
                else self._view.model_copy(update={"age_s": round(age_s, 1), "fps": self._fps})
            )

    def _measure(self, frame: Frame, corners: tuple[Point, ...] | None, now_s: float) -> View:
        self.count += 1
        self._measured_s = now_s
        if self._rate is None or frame.index < self._rate[1]:  # the camera was opened anew
            self._fps, self._rate = None, (now_s, frame.index)
        elif now_s - self._rate[0] >= _RATE_OVER_S:
            began_s, first = self._rate
            self._fps = round((frame.index - first) / (now_s - began_s), 1)
            self._rate = (now_s, frame.index)
        return measured(frame, corners)


def measured(frame: Frame, corners: tuple[Point, ...] | None) -> View:
    """Return what a frame says of light and focus; age and rate are left open."""
    image = frame.image
    height, width = image.shape[:2]
    step = max(1, width // _SIDE_PX)
    few = np.ascontiguousarray(image[::step, ::step])
    counts = [cv2.calcHist([few], [channel], None, [_BINS], [0, 256]).ravel() for channel in range(3)]
    # As roots: a bin of a hundredth of the most is still to be seen.
    roots = np.sqrt(np.array(counts))
    bars = np.round(100 * roots / max(1.0, float(roots.max()))).astype(int)
    levels = few.reshape(-1, 3)
    return View(
        index=frame.index,
        width_px=width,
        height_px=height,
        histogram=bars.tolist(),
        dark=round(float((levels.max(1) <= _BLACK).mean()), 4),
        bright=round(float((levels.max(1) >= _WHITE).mean()), 4),
        sharpness=round(sharpness(_inside(image, corners)), 1),
    )


def sharpness(image: Image) -> float:
    """Return how fine the detail is that uint8 RGB (h, w, 3) shows: the better the focus, the more, light being equal.

    It is the root of the mean square of the slope from pixel to pixel (Tenengrad), by the mean level, in per cent: blur
    spreads an edge over more pixels, which leaves the mean slope alone and takes its square down.
    """
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    across = cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=0.125)
    down = cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=0.125)
    return 100 * float(np.sqrt((across**2 + down**2).mean())) / max(1.0, float(grey.mean()))


def _inside(image: Image, corners: tuple[Point, ...] | None) -> NDArray[np.uint8]:
    if corners is None:
        return image
    height, width = image.shape[:2]
    xs, ys = zip(*corners, strict=True)
    left, right = max(0, int(min(xs))), min(width, int(max(xs)) + 1)
    top, bottom = max(0, int(min(ys))), min(height, int(max(ys)) + 1)
    part = image[top:bottom, left:right]
    return part if part.size else image
