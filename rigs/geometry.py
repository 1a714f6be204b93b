"""Where the shown picture lies in the camera's frame, and how to cut it out."""

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.images import Image, resize
from rigs.lens import Lens

Point = tuple[float, float]

# Hits are stored as finely as the camera saw them, up to this; training shrinks them to its own size.
LARGEST_PX = 256

_POINTS_A_SIDE = 33  # of an outline that a lens has bent


@dataclass(frozen=True, slots=True)
class ScreenGeometry:
    """The outline of the shown picture in the recorded frame.

    Attributes:
        corners_px: (x, y) of top-left, top-right, bottom-right and bottom-left, where they lie in the frame, however
            the lens bends the sides between them; the centre of a frame's first pixel is (0, 0), so that a picture
            which fills a frame begins at (-0.5, -0.5).
        lens: None for one that distorts nothing.
    """

    corners_px: tuple[Point, Point, Point, Point]
    lens: Lens | None = None

    def __post_init__(self) -> None:
        corners = np.asarray(self.corners_px, float)
        sides = np.roll(corners, -1, 0) - corners
        following = np.roll(sides, -1, 0)
        turns = sides[:, 0] * following[:, 1] - sides[:, 1] * following[:, 0]
        if corners.shape != (4, 2) or not np.isfinite(corners).all() or (turns <= 0).any():
            raise ValueError(f"expected four corners clockwise from top-left, got {self.corners_px}")
        if self.lens is not None:
            self.lens.straighten(corners)

    def rectify(self, frame: Image, size: tuple[int, int]) -> Image:
        """Return the shown picture as an image of `size` = (height, width).

        Where the frame is much finer than the result it is halved first, averaging, until three to six of its
        pixels fall on one of the result; then it is cut out, and averaged down. So details smaller than a pixel
        of the result do not alias, and a large frame costs little more than reading it once.
        """
        window = self.window((frame.shape[0], frame.shape[1]), self.halvings(size, 3))
        rows, columns = _samples(self.seen_through(window), size)
        cut = cv2.remap(window.of(frame), rows, columns, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return resize(np.asarray(cut, np.uint8), size)

    @property
    def picture_size(self) -> tuple[int, int]:
        """(height, width) of the shown picture as the camera resolves it, the longer side at most LARGEST_PX."""
        top_left, top_right, bottom_right, bottom_left = self.corners_px
        width = (math.dist(top_left, top_right) + math.dist(bottom_left, bottom_right)) / 2
        height = (math.dist(top_left, bottom_left) + math.dist(top_right, bottom_right)) / 2
        scale = min(1.0, LARGEST_PX / max(width, height))
        return max(1, round(scale * height)), max(1, round(scale * width))

    def scale(self, size: tuple[int, int]) -> float:
        """Return how many of the frame's pixels fall on one of an image of `size`, along the shortest side."""
        height, width = size
        top_left, top_right, bottom_right, bottom_left = self.corners_px
        return min(
            math.dist(top_left, top_right) / width,
            math.dist(bottom_left, bottom_right) / width,
            math.dist(top_left, bottom_left) / height,
            math.dist(top_right, bottom_right) / height,
        )

    def halvings(self, size: tuple[int, int], least: float) -> int:
        """Return how often a frame may be halved so that `least` of its pixels still fall on one of `size`."""
        return max(0, math.floor(math.log2(self.scale(size) / least)))

    def window(self, frame_size: tuple[int, int], halvings: int) -> "Window":
        """Return the part of frames of `frame_size` = (height, width) that holds the picture, halved so often."""
        left, top, right, bottom = self.region(frame_size)
        step = 2**halvings
        # A pixel more on each side for the interpolation, and whole blocks, so that nothing is lost in halving.
        return Window(
            left=max(0, left - 1) // step * step,
            top=max(0, top - 1) // step * step,
            right=-(-(right + 1) // step) * step,
            bottom=-(-(bottom + 1) // step) * step,
            halvings=halvings,
        )

    def seen_through(self, window: "Window") -> "ScreenGeometry":
        """Return the outline of the picture in what the window gives of a frame."""
        corners = (np.array(self.corners_px) + 0.5 - (window.left, window.top)) / 2**window.halvings - 0.5
        lens = self.lens and self.lens.through(window.left, window.top, 2**window.halvings)
        return ScreenGeometry(tuple((float(x), float(y)) for x, y in corners), lens)  # type: ignore[arg-type]

    def places(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where in the frame points of the picture lie, both (..., 2) as (x, y).

        Args:
            points: (0, 0) is the picture's top-left corner, (1, 1) its bottom-right.
        """
        flat = np.asarray(points, np.float64).reshape(-1, 1, 2)
        there = np.asarray(cv2.perspectiveTransform(flat, self._matrix()), np.float64).reshape(points.shape)
        return self.lens.bend(there) if self.lens else there

    def points(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return which points of the picture lie at places of the frame; the inverse of `places`.

        Raises:
            ValueError: if the lens sends no point there.
        """
        ideal = self.lens.straighten(places) if self.lens else np.asarray(places, np.float64)
        back = cv2.perspectiveTransform(ideal.reshape(-1, 1, 2), np.linalg.inv(self._matrix()))
        return np.asarray(back, np.float64).reshape(places.shape)

    def outline(self) -> NDArray[np.float64]:
        """Return points of the picture's outline in the frame, (n, 2), clockwise: corners, and between where bent."""
        if self.lens is None:
            return np.array(self.corners_px, np.float64)
        along = np.linspace(0, 1, _POINTS_A_SIDE)[:-1]
        zeros, ones = np.zeros_like(along), np.ones_like(along)
        top, right = np.column_stack([along, zeros]), np.column_stack([ones, along])
        return self.places(np.concatenate([top, right, 1 - top, 1 - right]))

    def _matrix(self) -> NDArray[np.float64]:
        """Return the homography from the picture, (0, 0) to (1, 1), to a pinhole's frame."""
        outline = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
        corners = np.array(self.corners_px, np.float64)
        ideal = self.lens.straighten(corners) if self.lens else corners
        return np.asarray(cv2.getPerspectiveTransform(outline, ideal.astype(np.float32)), np.float64)

    def region(self, frame_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return (left, top, right, bottom), the whole pixels of the frame (height, width) that hold the picture."""
        height, width = frame_size
        xs, ys = zip(*self.corners_px, strict=True) if self.lens is None else _outline(self).T.tolist()
        return (
            max(0, math.floor(min(xs) + 0.5)),
            max(0, math.floor(min(ys) + 0.5)),
            min(width, math.ceil(max(xs) + 0.5)),
            min(height, math.ceil(max(ys) + 0.5)),
        )


def whole(frame_size: tuple[int, int]) -> ScreenGeometry:
    """Return the geometry of frames of (height, width) that hold nothing but the picture."""
    height, width = frame_size
    right, bottom = width - 0.5, height - 0.5
    return ScreenGeometry(((-0.5, -0.5), (right, -0.5), (right, bottom), (-0.5, bottom)))


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a frame, from (left, top) up to (right, bottom), averaged over blocks of 2**halvings pixels."""

    left: int
    top: int
    right: int
    bottom: int
    halvings: int = 0

    def of(self, plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return that part of a frame or of one of its planes, (h, w, 3) or (h, w)."""
        part = plane[self.top : self.bottom, self.left : self.right]
        for _ in range(self.halvings):
            height, width = part.shape[:2]
            if height % 2 or width % 2:  # the picture reaches the end of an odd frame
                part = np.asarray(cv2.copyMakeBorder(part, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE), np.uint8)
            part = resize(part, ((height + 1) // 2, (width + 1) // 2))
        return part


@functools.lru_cache(maxsize=64)
def _outline(geometry: ScreenGeometry) -> NDArray[np.float64]:
    return geometry.outline()


@functools.lru_cache(maxsize=64)
def _samples(geometry: ScreenGeometry, size: tuple[int, int]) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """Return where in a frame the samples of a picture lie, some to each pixel of `size`, as `cv2.remap` reads it."""
    factor = max(1, round(geometry.scale(size)))
    height, width = factor * size[0], factor * size[1]
    places = np.dstack(np.meshgrid(np.arange(width), np.arange(height)))
    there = geometry.places((places + 0.5) / (width, height)).astype(np.float32)
    whole, fraction = cv2.convertMaps(there[..., 0], there[..., 1], cv2.CV_16SC2)
    return np.asarray(whole, np.int16), np.asarray(fraction, np.uint16)
