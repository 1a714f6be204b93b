"""Random trajectories: where a stage carries the plate while it is filmed, from a seed."""

import math

import numpy as np

from natadv.raindrops.pose import Pose

WAYPOINTS_A_SECOND = 32
"""More than any stage can visit, however small its travel."""


def random_path(generator: np.random.Generator, travel_mm: float, travel_deg: float, seconds: float) -> list[Pose]:
    """Return poses for the plate to visit, the first being where it waits for the clip to begin.

    Positions are uniform over a disc and angles over the stage's travel, so that in five seconds every part of
    the plate comes before the picture in some orientation (the paper moves and turns it by hand; AdvRD, Sec. 3.1).

    Args:
        generator: source of chance.
        travel_mm: radius of the disc.
        travel_deg: largest rotation to either side.
        seconds: the plate moves for at least so long; a longer path begins with the shorter one.
    """
    path: list[Pose] = []
    for _ in range(max(1, math.ceil(seconds))):
        radius_mm = travel_mm * np.sqrt(generator.random(WAYPOINTS_A_SECOND))
        heading = generator.uniform(0, 2 * math.pi, WAYPOINTS_A_SECOND)
        angle_deg = generator.uniform(-travel_deg, travel_deg, WAYPOINTS_A_SECOND)
        path += [
            Pose(float(r * math.cos(h)), float(r * math.sin(h)), float(a))
            for r, h, a in zip(radius_mm, heading, angle_deg, strict=True)
        ]
    return path
