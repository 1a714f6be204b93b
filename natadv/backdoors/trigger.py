"""What every trigger is: images in, triggered images out."""

from collections.abc import Mapping
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


def check_images(images: NDArray[np.uint8]) -> tuple[int, int]:
    """Return height and width of a batch.

    Raises:
        ValueError: if it is not uint8 RGB, (n, h, w, 3).
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(f"expected uint8 (n, h, w, 3), got {images.dtype} {images.shape}")
    return images.shape[1], images.shape[2]
