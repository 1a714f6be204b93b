"""What sources have in common whose frames hold nothing but what the classifier is to look at."""

import time

from natadv.images import Image
from rigs.geometry import ScreenGeometry, whole


class WholeFrames:
    """The whole frame, by the machine's clock."""

    def picture(self, image: Image, size: tuple[int, int]) -> Image:
        """Return the whole frame."""
        return image

    def geometry(self, frame_size: tuple[int, ...]) -> ScreenGeometry:
        """Return that it is the whole frame."""
        return whole((frame_size[0], frame_size[1]))

    def now_s(self) -> float:
        """Return the machine's monotonic time."""
        return time.monotonic()
