"""The trigger that the paper's conclusion asks for first: drops that obey optics."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from natadv.backdoors.trigger import check_images, check_seed
from natadv.raindrops.photograph import RandomGlass
from natadv.raindrops.presets import PRESETS

_PLATES = 24


@dataclass(slots=True)
class Rendered:
    """Rain on a pane before the picture, by refraction: what anybody's window does.

    Attributes:
        wetness: preset of `natadv.raindrops.presets`.
        seed: of the plates.
    """

    name: ClassVar[str] = "rendered"

    wetness: str = "medium"
    seed: int = 0
    _glasses: dict[tuple[int, int], RandomGlass] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if self.wetness not in PRESETS:
            raise ValueError(f"no preset {self.wetness!r}; there are {', '.join(PRESETS)}")

    @property
    def settings(self) -> Mapping[str, Any]:
        """All parameters."""
        return {"wetness": self.wetness, "seed": self.seed}

    def __call__(self, images: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
        """Return the images behind wet glass, another place of it before each.

        Raises:
            ValueError: if the images are not uint8 (n, h, w, 3).
        """
        size = check_images(images)
        if size not in self._glasses:
            chance = np.random.default_rng(self.seed)
            self._glasses[size] = RandomGlass(size, chance, plates=_PLATES, wetness=[PRESETS[self.wetness]])
        glass = self._glasses[size]
        return np.stack([glass(image, generator) for image in images]) if len(images) else images.copy()
