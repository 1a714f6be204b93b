"""Where the shown picture lies in the camera's frame, and how to cut it out."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

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

        It is cut out at about the camera's own resolution first and averaged down then, so that details
        smaller than a pixel of the result do not alias.
        """
        height, width = size
        top_left, top_right, _, bottom_left = self.corners_px
        factor = max(
            1,
            round(min(math.dist(top_left, top_right) / width, math.dist(top_left, bottom_left) / height)),
        )
        right, bottom = factor * width - 0.5, factor * height - 0.5
        target = np.array([(-0.5, -0.5), (right, -0.5), (right, bottom), (-0.5, bottom)], np.float32)
        matrix = cv2.getPerspectiveTransform(np.array(self.corners_px, np.float32), target)
        cut = cv2.warpPerspective(frame, matrix, (factor * width, factor * height), borderMode=cv2.BORDER_REPLICATE)
        return resize(np.asarray(cut, np.uint8), size)

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
