"""Panel: what a simulated screen shows, in light and millimetres, and how a camera sees it."""

import functools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.images import Image
from natadv.raindrops.light import GAMMA
from rigs.lens import Lens
from rigs.projection import Matrix, project

Light = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """A lit screen.

    Attributes:
        light: linear light, float32 (h, w, 3), 0..1.
        width_mm: its width; pixels are square.
        flicker: by what share of the mean its brightness swings to either side.
        flicker_hz: how often a second.
    """

    light: Light
    width_mm: float
    flicker: float = 0.0
    flicker_hz: float = 60.0

    def brightness(self, time_s: float, exposure_s: float) -> float:
        """Return the mean over an exposure, `time_s` its middle, of the brightness that swings about 1."""
        turns = self.flicker_hz * exposure_s
        swing = self.flicker * np.sinc(turns) * np.sin(2 * np.pi * self.flicker_hz * time_s)
        return float(1 + swing)

    def seen(self, homography: Matrix, frame_size: tuple[int, int], ambient: float, lens: Lens | None = None) -> Light:
        """Return the light that a camera gathers in each pixel, float32 (h, w, 3).

        Args:
            homography: from millimetres on the screen, from its centre, to pixels of the frame.
            frame_size: height and width of the frame.
            ambient: linear light of what is not screen.
            lens: what distorts the frame; None for nothing.
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
        across, down = pitch_mm * width / small.shape[1], pitch_mm * height / small.shape[0]
        centre = np.array([(small.shape[1] - 1) / 2, (small.shape[0] - 1) / 2])
        to_mm = np.array([[across, 0, -across * centre[0]], [0, down, -down * centre[1]], [0, 0, 1]])
        to_frame = homography @ to_mm
        if lens is None:
            twice = np.array([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]])
            fine_size = (2 * frame_size[1], 2 * frame_size[0])
            fine = cv2.warpPerspective(small, twice @ to_frame, fine_size, borderValue=(ambient,) * 3)
        else:
            there_x, there_y = _bent(tuple(np.linalg.inv(to_frame).ravel().tolist()), frame_size, lens)
            border = (ambient, ambient, ambient)
            fine = cv2.remap(small, there_x, there_y, cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT, border)
        return np.asarray(cv2.resize(fine, frame_size[::-1], interpolation=cv2.INTER_AREA), np.float32)


def lit(
    picture: Image,
    size_mm: tuple[float, float],
    picture_mm: float,
    *,
    ground: float,
    black: float,
    pitch_mm: float,
    gamma: float = GAMMA,
    flicker: float = 0.0,
    flicker_hz: float = 60.0,
) -> Panel:
    """Return a panel with a picture in a square in its middle.

    Args:
        picture: uint8 RGB, drawn to fill the square.
        size_mm: width and height of the lit area.
        picture_mm: side of the square.
        ground: linear light around it, 0..1.
        black: linear light of black; white is 1.
        pitch_mm: the screen's own pixel pitch.
        gamma: exponent of its curve, light = code^gamma.
        flicker: see Panel.
        flicker_hz: see Panel.
    """
    width, height, side = (round(length / pitch_mm) for length in (*size_mm, picture_mm))
    light = np.full((height, width, 3), black + (1 - black) * ground, np.float32)
    curve = ((np.arange(256) / 255.0) ** gamma).astype(np.float32)
    drawn = cv2.resize(picture, (side, side), interpolation=cv2.INTER_LINEAR)
    top, left = (height - side) // 2, (width - side) // 2
    light[top : top + side, left : left + side] = black + (1 - black) * curve[drawn]
    return Panel(light, width * pitch_mm, flicker, flicker_hz)


@functools.lru_cache(maxsize=4)
def _bent(
    to_panel: tuple[float, ...], frame_size: tuple[int, int], lens: Lens
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the columns and rows of a panel that a frame twice as fine as `frame_size` sees through a lens."""
    fine_x, fine_y = np.meshgrid(np.arange(2 * frame_size[1]), np.arange(2 * frame_size[0]))
    ideal = lens.straighten(np.dstack([fine_x, fine_y]) / 2 - 0.25)
    there = project(np.array(to_panel).reshape(3, 3), ideal.reshape(-1, 2)).reshape(ideal.shape).astype(np.float32)
    return np.ascontiguousarray(there[..., 0]), np.ascontiguousarray(there[..., 1])
