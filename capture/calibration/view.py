"""A rig while it is measured: show a pattern, wait until it stands still, look."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.errors import DeviceError
from natadv.images import Image
from natadv.raindrops.pose import Pose
from rigs.frame import Frame
from rigs.geometry import ScreenGeometry
from rigs.rig import Rig
from rigs.screen.base import ScreenSettings

Light = NDArray[np.float32]

USUAL_PX = 960
"""Side of the patterns where the screen does not say how many of its pixels the picture has."""

_POLL_S = 0.05
_ARRIVAL_S = 60.0
_SURE_S = 1.0  # by which any screen has changed


@runtime_checkable
class CountsPixels(Protocol):
    """Settings of a screen that say how many of its pixels a side the picture's square has."""

    @property
    def picture_px(self) -> int:
        """The side."""
        ...


class View:
    """Patterns on the screen, frames of the camera; all through the devices' protocols alone.

    Attributes:
        rig: open, its plate dry and at home.
        side_px: side of the square patterns.
        exact: whether each pixel of a pattern is one of the screen.
        wait_s: after a change, until the screen has surely changed.
    """

    def __init__(self, rig: Rig, screen: ScreenSettings) -> None:
        """Look at an open rig through its camera, at patterns as fine as its screen."""
        self.rig = rig
        self.exact = isinstance(screen, CountsPixels)
        self.side_px = screen.picture_px if isinstance(screen, CountsPixels) else USUAL_PX
        self.wait_s = max(_SURE_S, rig.settle_s)

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width of the frames."""
        info = self.rig.camera.info
        return info.height_px, info.width_px

    def show(self, pattern: Image) -> None:
        """Show a pattern, (h, w, 3), and wait until it has surely come."""
        self.rig.screen.show(pattern)
        self.rig.clock.sleep(self.wait_s)

    def level(self, code: int) -> None:
        """Show one grey all over the picture."""
        self.show(flat(code, self.side_px))

    def frames(self, count: int) -> list[Frame]:
        """Return the next frames."""
        return [self.rig.camera.read() for _ in range(count)]

    def mean(self, count: int) -> Light:
        """Return the mean of the next frames' codes, 0..255, float32 (h, w, 3)."""
        total = np.zeros((*self.frame_size, 3), np.float32)
        for frame in self.frames(count):
            total += frame.image
        return total / np.float32(count)


def flat(code: int, side_px: int) -> Image:
    """Return a square of one grey, (side, side, 3)."""
    return np.full((side_px, side_px, 3), code, np.uint8)


def sampled(mean: Light, geometry: ScreenGeometry, side: int, *, inset: float = 0.0) -> Light:
    """Return the picture cut out of a mean of frames, (side, side, 3); at the middles of side × side equal cells.

    Args:
        mean: codes, (h, w, 3).
        geometry: where the picture lies.
        side: of the result.
        inset: share of the picture that is left out on each side.
    """
    middles = inset + (1 - 2 * inset) * (np.arange(side) + 0.5) / side
    places = geometry.places(np.dstack(np.meshgrid(middles, middles))).astype(np.float32)
    cut = cv2.remap(mean, places[..., 0], places[..., 1], cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    return np.asarray(cut, np.float32)


def inner(geometry: ScreenGeometry, inset: float) -> tuple[slice, slice]:
    """Return rows and columns of a rectangle of the frame in the picture, less a share of it on each side.

    Its pixels are as the camera gave them: codes that are mixed by sampling are no longer those of mixed light.
    """
    corners = np.array([(inset, inset), (1 - inset, inset), (1 - inset, 1 - inset), (inset, 1 - inset)])
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = geometry.places(corners)
    left, right, top, bottom = max(ax, dx), min(bx, cx), max(ay, by), min(cy, dy)
    return slice(max(0, int(np.ceil(top))), int(bottom)), slice(max(0, int(np.ceil(left))), int(right))


@contextmanager
def dry_at_home(rig: Rig) -> Iterator[None]:
    """Dry the plate and carry it home; whatever happens, the stage is stopped and the sprayer shut in the end.

    Raises:
        DeviceError: if the stage does not arrive, or a device fails.
    """
    try:
        rig.sprayer.dry()
        rig.stage.follow([Pose()])
        end_s = rig.clock.now_s() + _ARRIVAL_S
        while rig.stage.is_moving():
            if rig.clock.now_s() > end_s:
                raise DeviceError(f"stage: not at home after {_ARRIVAL_S:.0f} s; look at it, then calibrate again")
            rig.clock.sleep(_POLL_S)
        yield
    finally:
        rig.stage.stop()
        rig.sprayer.close()
