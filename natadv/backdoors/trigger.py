"""What every trigger is: images in, triggered images out."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Trigger(Protocol):
    """Puts a trigger on images.

    Attributes:
        name: as the command line has it.
    """

    name: str

    def __call__(self, images: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
        """Return the images with the trigger on each, uint8 RGB (n, h, w, 3) as they are.

        Args:
            images: uint8 RGB, (n, h, w, 3); not changed.
            generator: of what differs from image to image.
        """
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that makes it, as plain values, for the papers of what it was put on."""
        ...


class Parameters:
    """Gives a trigger whose attributes are all its parameters, a dataclass, its `settings`."""

    __slots__ = ()

    @property
    def settings(self) -> Mapping[str, Any]:
        """All parameters."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]


def blended(images: NDArray[np.uint8], over: Any, mask: Any) -> NDArray[np.uint8]:
    """Return what lies over the images and hides them by a mask, as uint8 (Zhao et al. 2022, Eq. 2).

    Args:
        images: uint8 RGB, (n, h, w, 3) or (h, w, 3).
        over: levels, 0..255, that broadcast to the images.
        mask: of `over`, 0..1, that broadcasts likewise: 1 hides the images.
    """
    mixed = (1 - mask) * images + mask * over
    return np.asarray(np.clip(np.rint(mixed), 0, 255), np.uint8)


def check_seed(seed: object) -> None:
    """Refuse what is no seed.

    Raises:
        ValueError: if it is not a whole number of 0 or more.
    """
    if not isinstance(seed, int) or seed < 0:
        raise ValueError(f"expected seed, a whole number of 0 or more, got {seed}")


def check_images(images: NDArray[np.uint8]) -> tuple[int, int]:
    """Return height and width of a batch.

    Raises:
        ValueError: if it is not uint8 RGB, (n, h, w, 3).
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(f"expected uint8 (n, h, w, 3), got {images.dtype} {images.shape}")
    return images.shape[1], images.shape[2]
