"""Where the shown picture lies in the camera's frame, and how to cut it out."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.images import Image, resize

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class ScreenGeometry:
    """The outline of the shown picture in the recorded frame.

    Attributes:
        corners_px: (x, y) of top-left, top-right, bottom-right and bottom-left; the centre of a frame's first
            pixel is (0, 0), so that a picture which fills a frame begins at (-0.5, -0.5).
    """

    corners_px: tuple[Point, Point, Point, Point]

    def __post_init__(self) -> None:
        corners = np.asarray(self.corners_px, float)
        sides = np.roll(corners, -1, 0) - corners
        following = np.roll(sides, -1, 0)
        turns = sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]
        if corners.shape != (4, 2) or not np.isfinite(corners).all() or (turns <= 0).any():
            raise ValueError(f"expected four corners clockwise from top-left, got {self.corners_px}")

    def rectify(self, frame: Image, size: tuple[int, int]) -> Image:
        """Return the shown picture as an image of `size` = (height, width).

        Where the frame is much finer than the result it is halved first, averaging, until three to six of its
        pixels fall on one of the result; then it is cut out, and averaged down. So details smaller than a pixel
        of the result do not alias, and a large frame costs little more than reading it once.
        """
        height, width = size
        top_left, top_right, bottom_right, bottom_left = self.corners_px
        scale = min(
            math.dist(top_left, top_right) / width,
            math.dist(bottom_left, bottom_right) / width,
            math.dist(top_left, bottom_left) / height,
            math.dist(top_right, bottom_right) / height,
        )
        halvings = max(0, math.floor(math.log2(scale / 3)))
        reduced, corners = self._halved(frame, halvings)
        factor = max(1, round(scale / 2**halvings))
        right, bottom = factor * width - 0.5, factor * height - 0.5
        target = np.array([(-0.5, -0.5), (right, -0.5), (right, bottom), (-0.5, bottom)], np.float32)
        matrix = cv2.getPerspectiveTransform(corners, target)
        cut = cv2.warpPerspective(reduced, matrix, (factor * width, factor * height), borderMode=cv2.BORDER_REPLICATE)
        return resize(np.asarray(cut, np.uint8), size)

    def _halved(self, frame: Image, times: int) -> tuple[Image, NDArray[np.float32]]:
        """Return the part of a frame that holds the picture, halved so often, and the corners in it."""
        step = 2**times
        left, top, right, bottom = self.region((frame.shape[0], frame.shape[1]))
        # A pixel more on each side for the interpolation, and whole blocks, so that nothing is lost in halving.
        left, top = max(0, left - 1) // step * step, max(0, top - 1) // step * step
        reduced = frame[top : -(-(bottom + 1) // step) * step, left : -(-(right + 1) // step) * step]
        for _ in range(times):
            height, width = reduced.shape[:2]
            if height % 2 or width % 2:  # the picture reaches the end of an odd frame
                reduced = np.asarray(
                    cv2.copyMakeBorder(reduced, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE), np.uint8
                )
            reduced = resize(reduced, ((height + 1) // 2, (width + 1) // 2))
        corners = (np.array(self.corners_px) + 0.5 - (left, top)) / step - 0.5
        return reduced, corners.astype(np.float32)

    def region(self, frame_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return (left, top, right, bottom), the whole pixels of the frame (height, width) that hold the picture."""
        height, width = frame_size
        xs, ys = zip(*self.corners_px, strict=True)
        return (
            max(0, math.floor(min(xs) + 0.5)),
            max(0, math.floor(min(ys) + 0.5)),
            min(width, math.ceil(max(xs) + 0.5)),
            min(height, math.ceil(max(ys) + 0.5)),
        )
