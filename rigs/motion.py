"""Random trajectories: where a stage carries the plate while it is filmed, from a seed."""

import math

import numpy as np

from natadv.raindrops.pose import Pose

WAYPOINTS = 32


def random_path(
    generator: np.random.Generator, travel_mm: float, travel_deg: float, waypoints: int = WAYPOINTS
) -> list[Pose]:
    """Return poses for the plate to visit, the first being where it waits for the clip to begin.

    Positions are uniform over a disc and angles over the stage's travel, so that in five seconds every part of
    the plate comes before the picture in some orientation (the paper moves and turns it by hand; AdvRD, Sec. 3.1).

    Args:
        generator: source of chance.
        travel_mm: radius of the disc.
        travel_deg: largest rotation to either side.
        waypoints: number of poses; more than a stage can visit in one clip.
    """
    radius_mm = travel_mm * np.sqrt(generator.random(waypoints))
    heading = generator.uniform(0, 2 * math.pi, waypoints)
    angle_deg = generator.uniform(-travel_deg, travel_deg, waypoints)
    return [
        Pose(float(r * math.cos(h)), float(r * math.sin(h)), float(a))
        for r, h, a in zip(radius_mm, heading, angle_deg, strict=True)
    ]
