"""Where a pinhole camera sees the points of a plane screen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScreenPlacement:
    """How the screen stands before the camera, which looks along z.

    Attributes:
        distance_mm: from the camera's pupil to the screen's centre, along z.
        shift_x_mm: of the screen's centre, to the camera's right.
        shift_y_mm: of the screen's centre, downwards.
        yaw_deg: turn about the vertical axis; positive moves the right edge away.
        pitch_deg: turn about the horizontal axis; positive moves the lower edge away.
        roll_deg: turn about z, clockwise as the camera sees it.
    """

    distance_mm: float
    shift_x_mm: float = 0.0
    shift_y_mm: float = 0.0
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0

    def homography(self, focal_px: float, frame_size: tuple[int, int]) -> Matrix:
        """Return the 3×3 map from screen points in mm (right, down, from its centre) to frame pixels.

        The pinhole model x = K [R | t] X with the plane's third coordinate left out (Hartley and Zisserman 2004,
        Eq. 8.1).

        Args:
            focal_px: focal length in pixels of the frame.
            frame_size: height and width in pixels; the optical axis meets the frame's centre.
        """
        yaw, pitch, roll = np.deg2rad((self.yaw_deg, self.pitch_deg, self.roll_deg))
        turn_y = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
        turn_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
        turn_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        columns = (turn_z @ turn_y @ turn_x)[:, :2]
        shift = np.array([self.shift_x_mm, self.shift_y_mm, self.distance_mm])
        height, width = frame_size
        camera = np.array([[focal_px, 0, (width - 1) / 2], [0, focal_px, (height - 1) / 2], [0, 0, 1]])
        return np.asarray(camera @ np.column_stack([columns, shift]), np.float64)


def project(homography: Matrix, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map (n, 2) points through a 3×3 homography."""
    mapped = np.column_stack([points, np.ones(len(points))]) @ homography.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:], np.float64)
