"""Frame: one image as a camera delivered it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from natadv.raindrops.pose import Pose


@dataclass(frozen=True, slots=True)
class DropState:
    """How wet the plate was when a frame was exposed.

    Attributes:
        count: drops on the plate; None where only the coverage is known, estimated from the pictures.
        coverage: share of the shown image that drops cover in this frame, 0..1.
    """

    count: int | None
    coverage: float


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One camera image with its time and the pose of the plate.

    Attributes:
        image: uint8 RGB, (h, w, 3).
        index: the camera's own counter; a gap between two frames is a lost frame.
        timestamp_s: mid-exposure time by the camera's clock.
        pose: the plate's pose at that time; None where the stage reports none.
        drops: how wet the plate was; None where the rig cannot know.
    """

    image: NDArray[np.uint8]
    index: int
    timestamp_s: float
    pose: Pose | None = None
    drops: DropState | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the image."""
        return self.image.shape

    def cropped(self, box: tuple[int, int, int, int]) -> "Frame":
        """Return the frame with the part (left, top, right, bottom) of its image alone, copied."""
        left, top, right, bottom = box
        return replace(self, image=np.ascontiguousarray(self.image[top:bottom, left:right]))
