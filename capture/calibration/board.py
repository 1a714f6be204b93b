"""ChArUco boards on the screen: the pattern, and the corners of it that are found in a frame.

A chessboard whose white squares hold markers, so that each corner is known by number though a part of the board is
hidden (OpenCV's `objdetect` module). A corner between squares lies on the edge between two pixels: half a pixel before
the square's first.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.calibration.view import Light
from natadv.images import Image
from natadv.raindrops.light import GAMMA

Points = NDArray[np.float64]

_MARKER_SHARE = 0.7  # of a square's side
_SOFT_PX = 1.5
_INK, _PAPER = 24, 232  # not the ends of the range, where a camera may bloom


@dataclass(frozen=True, slots=True)
class Board:
    """A board of `squares` × `squares` in the middle of a picture of `side_px`.

    Attributes:
        squares: a side.
        side_px: of the picture.
        square_px: side of a square; None for as large as fit.
    """

    squares: int
    side_px: int
    square_px: int | None = None

    @property
    def second(self) -> "Board":
        """Another board of the same squares, one fewer a side: its corners lie in the middles of this one's squares."""
        return Board(self.squares - 1, self.side_px, self._square_px)

    @property
    def _square_px(self) -> int:
        return self.square_px or self.side_px // self.squares

    @property
    def _begin_px(self) -> int:
        return (self.side_px - self.squares * self._square_px) // 2

    def _board(self) -> cv2.aruco.CharucoBoard:
        dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_250)
        return cv2.aruco.CharucoBoard((self.squares, self.squares), 1.0, _MARKER_SHARE, dictionary)

    def picture(self) -> Image:
        """Return the pattern, uint8 RGB."""
        side = self.squares * self._square_px
        drawn = self._board().generateImage((side, side), marginSize=0, borderBits=1)
        grey = np.full((self.side_px, self.side_px), _PAPER, np.uint8)
        begin = self._begin_px
        grey[begin : begin + side, begin : begin + side] = np.where(np.asarray(drawn) > 127, _PAPER, _INK)
        return np.dstack([grey] * 3)

    @property
    def corners(self) -> Points:
        """All corners between squares, (n, 2), in the picture from (0, 0) to (1, 1)."""
        steps = (self._begin_px + self._square_px * np.arange(1, self.squares)) / self.side_px
        return np.dstack(np.meshgrid(steps, steps)).reshape(-1, 2)

    def find(self, frame: Light) -> tuple[NDArray[np.int64], Points]:
        """Return the numbers of the corners that are seen, (n,), and where they lie in the frame, (n, 2).

        Args:
            frame: codes, 0..255, (h, w, 3).
        """
        # Blur is even to both sides in light, not in codes, where it eats the dark: a blurred board of which codes
        # show 18 corners of 49 shows all of them so.
        light = np.rint(255 * (frame.mean(-1) / 255) ** GAMMA).astype(np.uint8)
        detector = cv2.aruco.CharucoDetector(self._board())
        detector.setDetectorParameters(_patient())
        charuco = cv2.aruco.CharucoParameters()
        charuco.minMarkers = 1
        detector.setCharucoParameters(charuco)
        places, numbers, _, _ = detector.detectBoard(light)
        if numbers is None or places is None or not len(numbers):
            return np.empty(0, np.int64), np.empty((0, 2))
        found = np.asarray(places, np.float32).reshape(-1, 1, 2)
        codes = np.rint(frame.mean(-1)).astype(np.uint8)  # in which a sharp edge is spread over more pixels
        return np.asarray(numbers, np.int64).reshape(-1), self._refined(codes, found)

    def _refined(self, codes: NDArray[np.uint8], found: NDArray[np.float32]) -> Points:
        """Return corners found again, each in the largest window that no marker reaches into."""
        square_px = np.linalg.norm(np.ptp(found.reshape(-1, 2), 0)) / (np.sqrt(2) * (self.squares - 2))
        half = int(np.clip((1 - _MARKER_SHARE) / 2 * square_px, 2, 10))
        # A sharp edge pulls a corner towards the middles of pixels; a softer one does so less than half as much.
        codes = np.asarray(cv2.GaussianBlur(codes, (0, 0), min(_SOFT_PX, square_px / 20)), np.uint8)
        close = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-4)
        refined = cv2.cornerSubPix(codes, found.copy(), (half, half), (-1, -1), close)
        return np.asarray(refined, np.float64).reshape(-1, 2)


def _patient() -> cv2.aruco.DetectorParameters:
    parameters = cv2.aruco.DetectorParameters()
    parameters.adaptiveThreshWinSizeMax = 53
    parameters.perspectiveRemovePixelPerCell = 8
    parameters.perspectiveRemoveIgnoredMarginPerCell = 0.3
    return parameters
