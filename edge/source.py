"""Where a live run's frames come from: a rig, a webcam, or a recording played as if it were live."""

import threading
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from natadv.images import Image
from rigs.frame import Frame
from rigs.geometry import ScreenGeometry

IMAGE_S: Final = 1.0  # that an image of a folder is shown, unless it is said


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One frame of a source.

    Attributes:
        frame: as the camera gave it; its time is by the source's clock.
        label: what it truly shows, where the source knows.
    """

    frame: Frame
    label: str | None = None

    def numbered(self, index: int) -> "Shot":
        """Return it under another index; the image is shared."""
        return self if index == self.frame.index else Shot(replace(self.frame, index=index), self.label)


class Source(Protocol):
    """Frames in the order they were taken, until the source ends or `shots` is given up."""

    def shots(self, stop: threading.Event) -> Generator[Shot, None, None]:
        """Yield frames; called once, in a thread of its own, which ends soon after `stop` is set.

        Raises:
            DeviceError: if the device fails.
            DataError: if a file is torn.
        """
        ...

    def picture(self, image: Image, size: tuple[int, int]) -> Image:
        """Return the part of a frame that the classifier is to look at; near `size` or larger."""
        ...

    def geometry(self, frame_size: tuple[int, ...]) -> ScreenGeometry:
        """Return where in a frame of (height, width) that part lies."""
        ...

    def now_s(self) -> float:
        """Return the time by the clock of the frames' timestamps."""
        ...

    @property
    def live(self) -> bool:
        """Whether more frames are to be expected for ever: a camera's, not a recording's."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that its shots may have."""
        ...


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How a source is played.

    Attributes:
        fast: play recordings as fast as they are taken, not at their own rate.
        images: labelled folder that a rig's screen shows in turn.
        image_s: seconds that each image of a folder is shown; None: IMAGE_S, whatever the source is.
        seed: of the plate's trajectory on a rig; None: 0, whatever the source is.
        rain_after_s: seconds of frames before a rig's plate is wetted; None: it is wet from the start.
    """

    fast: bool = False
    images: Path | None = None
    image_s: float | None = None
    seed: int | None = None
    rain_after_s: float | None = None
