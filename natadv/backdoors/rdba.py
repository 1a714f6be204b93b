"""RDBA: raindrops as streaks of blurred noise (Zhao et al. 2022, Algorithm 1).

Uniform noise is thresholded so that a share of alpha / 256 of the pixels is white (Eq. 5), blurred by a 3 x 3 kernel
K1, smeared along a line of some length and direction whose profile a Gaussian K2 rounds (Eq. 6, 7), and blended in
(Eq. 2). The paper gives neither K1, K2, the stretch, the mask nor the range that the layer has in the end, on which
all hangs; here they are parameters, whose defaults docs/decisions/0016 gives reasons for.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.backdoors.trigger import Parameters, blended, check_images

Normalise = Literal["max", "none"]
_RANGE = 256.0
_REFERENCE_PX = 64.0


@dataclass(frozen=True, slots=True)
class Rdba(Parameters):
    """Streaks of rain (Zhao et al. 2022, Algorithm 1).

    Attributes:
        alpha: density; alpha / 256 of the pixels of an image of 64 begin as a drop, and one of another size has as many
            drops, so that it shows the same rain. The paper's default is 6.
        centre: of K1, the factor by which a white pixel is made stronger.
        neighbour: of K1, what its four neighbours get of it.
        length_px: least and most length of the streaks, in pixels of an image of 64; they grow with the image.
        angle_deg: least and most direction, from the vertical; one a picture, as rain falls.
        sigma_px: of K2, which rounds the streaks' profile, in pixels of an image of 64.
        beta: what the layer's white is worth, 0..1 of full white.
        opacity: of the mask, 0..1: how much of the picture a full drop hides.
        normalise: `max`: the layer is stretched until its brightest pixel is full; `none`: it is as the blurs leave it.
    """

    name: ClassVar[str] = "rdba"

    alpha: float = 6.0
    centre: float = 8.0
    neighbour: float = 0.1
    length_px: tuple[float, float] = (4.0, 12.0)
    angle_deg: tuple[float, float] = (-35.0, 35.0)
    sigma_px: float = 0.6
    beta: float = 0.8
    opacity: float = 1.0
    normalise: Normalise = "max"

    def __post_init__(self) -> None:
        for name in ("length_px", "angle_deg"):
            ends = getattr(self, name)
            if not (isinstance(ends, tuple) and len(ends) == 2 and all(isinstance(end, int | float) for end in ends)):
                raise ValueError(f"expected {name} as [least, most], got {getattr(self, name)}")
        numbers = [value for name, value in self.settings.items() if name != "normalise"]
        if not np.isfinite(np.hstack(numbers).astype(float)).all():
            raise ValueError(f"expected finite numbers, got {self.settings}")
        if self.normalise not in get_args(Normalise):
            raise ValueError(f"expected normalise {' or '.join(get_args(Normalise))}, got {self.normalise!r}")
        if self.centre <= 0 or self.neighbour < 0:
            raise ValueError(f"expected centre above 0 and neighbour 0 or more, got {self.centre} and {self.neighbour}")
        if self.angle_deg[0] > self.angle_deg[1]:
            raise ValueError(f"expected least <= most angle_deg, got {self.angle_deg}")
        if not 0 < self.alpha <= _RANGE:
            raise ValueError(f"expected 0 < alpha <= 256, got {self.alpha}")
        if not (0 < self.beta <= 1 and 0 < self.opacity <= 1):
            raise ValueError(f"expected beta and opacity in 0..1 and above 0, got {self.beta} and {self.opacity}")
        if not 1 <= self.length_px[0] <= self.length_px[1]:
            raise ValueError(f"expected 1 <= least <= most length_px, got {self.length_px}")
        if self.sigma_px <= 0:
            raise ValueError(f"expected sigma_px above 0, got {self.sigma_px}")

    def __call__(self, images: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
        """Return the images in the rain, other drops on each.

        Raises:
            ValueError: if the images are not uint8 (n, h, w, 3).
        """
        size = check_images(images)
        rained = np.empty_like(images)
        for number, image in enumerate(images):
            layer = self.layer(size, generator)[..., None]
            rained[number] = blended(image, 255.0 * self.beta, self.opacity * layer)
        return rained

    def layer(self, size: tuple[int, int], generator: np.random.Generator) -> NDArray[np.float32]:
        """Return one layer of drops, float32 (h, w), 0..1: steps 4 to 10 of Algorithm 1."""
        scale = min(size) / _REFERENCE_PX
        noise = generator.uniform(0.0, _RANGE, size)
        # As many drops before a larger image: its streaks are longer and wider, and more of them would be fog.
        drops = np.where(noise > _RANGE - self.alpha / scale**2, 255.0, 0.0).astype(np.float32)
        first = np.zeros((3, 3), np.float32)
        first[1], first[:, 1] = self.neighbour, self.neighbour
        first[1, 0] = first[1, 2] = first[0, 1] = first[2, 1] = self.neighbour
        first[1, 1] = self.centre
        drops = np.minimum(cv2.filter2D(drops, -1, first), 255.0 * self.centre)
        length = scale * generator.uniform(*self.length_px)
        angle = generator.uniform(*self.angle_deg)
        streaks = cv2.filter2D(drops, -1, _streak(length, angle, scale * self.sigma_px))
        brightest = float(streaks.max())
        if self.normalise == "max" and brightest > 0:
            return streaks / np.float32(brightest)
        return np.clip(streaks / 255.0, 0.0, 1.0)


def _streak(length_px: float, angle_deg: float, sigma_px: float) -> NDArray[np.float32]:
    """Return K2: a line of this length and direction from the vertical, rounded by a Gaussian; sums to 1."""
    half = int(np.ceil(length_px / 2 + 3 * sigma_px))
    across, along = np.meshgrid(np.arange(-half, half + 1), np.arange(-half, half + 1))
    turn = np.deg2rad(angle_deg)
    down = along * np.cos(turn) + across * np.sin(turn)
    side = across * np.cos(turn) - along * np.sin(turn)
    beyond = np.maximum(np.abs(down) - length_px / 2, 0.0)
    kernel = np.exp(-(side**2 + beyond**2) / (2 * sigma_px**2))
    return (kernel / kernel.sum()).astype(np.float32)
