"""The lens integral itself, summed over points of the aperture: slow, the measure of `WetGlass.see`.

Each aperture point sees the plate shifted by the defocus and the screen, which is in focus, unshifted; the
picture is the mean over the points (Cook, Porter & Carpenter 1984, Distributed Ray Tracing, Sec. 4.2).
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.raindrops.film import FilmLayer
from natadv.raindrops.glass import WetGlass, check, hazed
from natadv.raindrops.plate import Grid, grid_over
from natadv.raindrops.pose import Pose
from natadv.raindrops.scene import Light, Scene


def see_exactly(glass: WetGlass, scene: Scene, pose: Pose, *, samples: int = 64) -> Light:
    """Return what `glass.see(scene, pose).linear` approximates, float32 (h, w, 3) linear light.

    Args:
        glass: the plate, with the same textures as the fast form.
        scene: of the optics' size; refracted rays are looked up at its full resolution.
        pose: of the plate.
        samples: points on the aperture; below about 30, single points show as ghosts of small drops.

    Raises:
        ValueError: for a scene of another size, a pose that is not finite, or no samples.
    """
    check(scene, pose, glass.optics)
    if samples < 1:
        raise ValueError(f"expected samples >= 1, got {samples}")
    (height, width), dry = scene.size, scene.linear
    colour, alpha = np.zeros_like(dry), np.zeros((height, width), np.float32)
    if glass.layer is not None:
        lookup = scene.lookup(1)
        for x, y in (_sunflower(samples) * glass.optics.blur_px / 2).tolist():
            layer, opacity = glass.layer.at(lookup, pose, Grid(height, width, 1, (x, y)), eye=(-x, -y))
            cv2.accumulate(layer, colour)
            cv2.accumulate(opacity, alpha)
        colour /= samples
        alpha /= samples
    if glass.film is not None:
        grid = grid_over(glass.optics, 1)
        film = glass.film.at(pose, grid)
        dry = glass.film.wavered(dry, film, 1)
        colour, alpha = hazed(colour, alpha, film[..., 2], FilmLayer.veil(scene, grid))
    return dry * (1 - alpha)[..., None] + colour


def _sunflower(count: int) -> NDArray[np.float64]:
    """Return points spread evenly over the unit disc, (count, 2) (Vogel 1979, Math. Biosciences 44, 179)."""
    index = np.arange(count) + 0.5
    radius, angle = np.sqrt(index / count), index * math.pi * (3 - math.sqrt(5))
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
