"""How far the disk will reach, by what images have taken so far; a session stops before it is full."""

import shutil
from typing import Final

from capture.events import Disk
from capture.plan import SPARE_BYTES, image_bytes
from natadv.errors import ResourceError
from rigs.archive import Archive

_EVERY: Final = 10
_LATEST: Final = 40  # clips of an earlier process whose sizes are looked up


class Forecast:
    """Learns what images take and says how many more the disk holds."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._clips = len(archive.settings.kinds)
        self._images = self._bytes = 0
        self._told: Disk | None = None
        complete = archive.complete_items()[-_LATEST:]
        for item in complete:
            for kind in archive.settings.kinds:
                self.add(sum(path.stat().st_size for path in archive.clip_folder(item, kind).iterdir()))
        self._images = len(complete)

    def add(self, clip_bytes: int, *, complete: bool = False) -> None:
        """Learn what a clip takes; `complete` where its image has all its clips with it."""
        self._bytes += clip_bytes
        self._images += complete

    def look(self, images_left: int, waiting_bytes: int = 0) -> Disk | None:
        """Return the forecast where it is worth telling: first, now and then, and when it turns.

        Args:
            images_left: to be recorded.
            waiting_bytes: images in memory that are still to be written.

        Raises:
            ResourceError: if the next image and what waits may not fit any more.
        """
        free = shutil.disk_usage(self._archive.folder).free
        each = self._bytes // self._images if self._images else image_bytes(self._archive.settings)
        usable = max(0, free - SPARE_BYTES - waiting_bytes)
        now = Disk(free_bytes=usable, image_bytes=each, images_left=images_left)
        if now.reaches < 1:
            raise ResourceError(
                f"{self._archive.folder}: {free / 1e9:.2f} GB free, too little for the next image and a reserve; "
                "free some space, then go on with --resume"
            )
        told = self._told
        if told is None or told.enough != now.enough or told.images_left - images_left >= _EVERY:
            self._told = now
            return now
        return None
