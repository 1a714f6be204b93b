"""Pose: where the glass plate is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pose:
    """Position of the plate in its own plane, relative to its home position.

    Attributes:
        x_mm: shift to the right as the camera sees it.
        y_mm: shift downwards as the camera sees it.
        angle_deg: rotation about the optical axis, clockwise as the camera sees it.
    """

    x_mm: float = 0.0
    y_mm: float = 0.0
    angle_deg: float = 0.0
