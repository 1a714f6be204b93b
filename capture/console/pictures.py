"""Pictures of hits, as the live scan keeps them below the session's folder, made small for the page."""

import functools
from pathlib import Path
from typing import Final

import cv2

from capture.console.console import Console
from capture.events import Hits
from natadv.errors import DataError
from natadv.images import read_image

_SIDE_PX: Final = 128
_QUALITY: Final = 82


class HitPictures:
    """Gives pictures of a console's hits; any thread may ask."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def picture(self, number: int, place: int) -> bytes | None:
        """Return one of a hit's pictures as JPEG; None where there is no such, or not any more.

        Args:
            number: of the hit.
            place: of its picture, from 0.
        """
        folder = self._console.folder
        found = next((hit for known, hit in self._console.story.hits() if known == number), None)
        if folder is None or found is None or not 0 <= place < len(found.pictures):
            return None
        path = (folder / found.pictures[place]).resolve()
        if not path.is_relative_to(folder.resolve()):
            return None
        try:
            return _small(path)
        except DataError:  # the image was recorded again meanwhile, and its hits with it
            return None


def best_of(hit: Hits) -> int:
    """Return the place of the picture of the hit that the model is surest of; 0 where none is kept of that one."""
    # They are named ITEM-FRAME.png, see capture.scanner.
    frames = [path.removesuffix(".png").rpartition("-")[2] for path in hit.pictures]
    return next((place for place, frame in enumerate(frames) if frame.isdecimal() and int(frame) == hit.best), 0)


@functools.lru_cache(maxsize=256)
def _small(path: Path) -> bytes:
    image = read_image(path)
    height, width = image.shape[:2]
    scale = min(1.0, _SIDE_PX / max(height, width))
    if scale < 1:
        size = (max(1, round(scale * width)), max(1, round(scale * height)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return bytes(data)
