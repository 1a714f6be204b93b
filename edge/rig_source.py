"""A rig as a live source: its camera watches its screen through the moving, wet plate."""

import itertools
import math
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edge.source import IMAGE_S, Shot, SourceOptions
from natadv.images import Image, LabelledFile, labelled_files, read_image
from rigs.geometry import ScreenGeometry
from rigs.motion import random_path
from rigs.rig import Rig, load_rig

SPRAY_S = 1.0


class RigSource:
    """Frames of a rig's camera, while its screen shows images in turn and its stage carries the plate about.

    All devices are used from the thread that reads the frames.
    """

    live = True

    def __init__(
        self,
        rig: Rig,
        files: list[LabelledFile],
        *,
        image_s: float,
        seed: int,
        rain_after_s: float | None = None,
    ) -> None:
        """Watch a rig that is open.

        Args:
            rig: its screen is left alone where there are no files.
            files: images to show, over and over.
            image_s: seconds that each is shown.
            seed: of the plate's trajectory.
            rain_after_s: the plate stays as it is until so long after the first frame; None: it is wet from the start.
        """
        self._rig = rig
        self._files = files
        self._image_s = image_s
        self._rain_after_s = rain_after_s
        self._rng = np.random.default_rng(seed)
        self.labels: tuple[str, ...] = tuple(sorted({file.label for file in files}))

    def shots(self, stop: threading.Event) -> Generator[Shot, None, None]:
        """Yield frames; a label only once the screen has settled on the image."""
        rig = self._rig
        turns = itertools.cycle(self._files)
        label, shown_s, next_s = None, -math.inf, -math.inf
        begun, rain_s = False, math.inf
        if self._files and self._rain_after_s is None:
            rig.sprayer.spray(SPRAY_S)
        while not stop.is_set():
            if self._files and rig.clock.now_s() >= next_s:
                file = next(turns)
                rig.screen.show(read_image(file.path))
                label, shown_s = file.label, rig.clock.now_s()
                next_s = shown_s + self._image_s
            if self._files and rig.clock.now_s() >= rain_s:
                rig.stage.stop()  # one that moves lets no valve be opened
                rig.sprayer.spray(SPRAY_S)
                rain_s = math.inf
            if self._files and not rig.stage.is_moving():
                rig.stage.follow(random_path(self._rng, rig.travel.radius_mm, rig.travel.angle_deg, self._image_s))
            frame = rig.camera.read()
            settled = frame.timestamp_s >= shown_s + rig.settle_s
            if not begun and self._files and not settled:
                continue  # the screen is still blank
            if not begun and self._rain_after_s is not None:
                rain_s = frame.timestamp_s + self._rain_after_s
            begun = True
            yield Shot(frame, label if settled else None)

    def picture(self, image: Image, size: tuple[int, int]) -> Image:
        """Return what the screen shows, cut out of the frame at `size`."""
        return self._rig.geometry.rectify(image, size)

    def geometry(self, frame_size: tuple[int, ...]) -> ScreenGeometry:
        """Return where the screen is."""
        return self._rig.geometry

    def now_s(self) -> float:
        """Return the time by the rig's clock."""
        return self._rig.clock.now_s()


@contextmanager
def open_rig(path: Path, options: SourceOptions) -> Iterator[RigSource]:
    """Open a rig, running by the machine's clock.

    Raises:
        ConfigError: if its file is wrong.
        DeviceError: if a device of it cannot be opened.
        DataError: if the folder of images is not one.
    """
    settings = load_rig(path)
    files = labelled_files(options.images) if options.images is not None else []
    with settings.open(realtime=True) as rig:
        seed = options.seed or 0
        rig.reseed(seed)
        yield RigSource(rig, files, image_s=options.image_s or IMAGE_S, seed=seed, rain_after_s=options.rain_after_s)
