"""Panel: what a simulated screen shows, in light and millimetres, and how a camera sees it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.images import Image
from natadv.raindrops.light import decode
from rigs.projection import Matrix

Light = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """A lit screen.

    Attributes:
        light: linear light, float32 (h, w, 3), 0..1.
        width_mm: its width; pixels are square.
    """

    light: Light
    width_mm: float

    def seen(self, homography: Matrix, frame_size: tuple[int, int], ambient: float) -> Light:
        """Return the light that a camera gathers in each pixel, float32 (h, w, 3).

        Args:
            homography: from millimetres on the screen, from its centre, to pixels of the frame.
            frame_size: height and width of the frame.
            ambient: linear light of what is not screen.
        """
        height, width = self.light.shape[:2]
        pitch_mm = self.width_mm / width
        # From panel pixels to mm; the panel is averaged to about two pixels per pixel of the frame, the frame is
        # drawn twice as fine as asked for, and averaged: neither step skips a detail.
        middle = homography[:2] @ np.array([0.0, 0.0, 1.0]) / homography[2, 2]
        beside = homography @ np.array([pitch_mm, 0.0, 1.0])
        step_px = float(np.hypot(*(beside[:2] / beside[2] - middle)))
        shrink = max(1, round(0.5 / step_px))
        small = cv2.resize(self.light, (width // shrink, height // shrink), interpolation=cv2.INTER_AREA)
        scale = pitch_mm * width / small.shape[1]
        centre = np.array([(small.shape[1] - 1) / 2, (small.shape[0] - 1) / 2])
        to_mm = np.array([[scale, 0, -scale * centre[0]], [0, scale, -scale * centre[1]], [0, 0, 1]])
        twice = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]])
        fine = cv2.warpPerspective(
            small,
            twice @ homography @ to_mm,
            (2 * frame_size[1], 2 * frame_size[0]),
            borderValue=(ambient,) * 3,
        )
        return np.asarray(cv2.resize(fine, frame_size[::-1], interpolation=cv2.INTER_AREA), np.float32)


def lit(
    picture: Image, size_mm: tuple[float, float], picture_mm: float, *, ground: float, black: float, pitch_mm: float
) -> Panel:
    """Return a panel with a picture in a square in its middle.

    Args:
        picture: uint8 RGB, drawn to fill the square.
        size_mm: width and height of the lit area.
        picture_mm: side of the square.
        ground: linear light around it, 0..1.
        black: linear light of black; white is 1.
        pitch_mm: the screen's own pixel pitch.
    """
    width, height, side = (round(length / pitch_mm) for length in (*size_mm, picture_mm))
    light = np.full((height, width, 3), black + (1 - black) * ground, np.float32)
    drawn = cv2.resize(picture, (side, side), interpolation=cv2.INTER_LINEAR)
    top, left = (height - side) // 2, (width - side) // 2
    light[top : top + side, left : left + side] = black + (1 - black) * decode(np.asarray(drawn, np.uint8))
    return Panel(light, width * pitch_mm)
