"""Painting: the newest frame as a small JPEG, on request with what is in focus coloured."""

from typing import Final

import cv2
import numpy as np

from natadv.images import Image

_MOST_WIDE: Final = 960
_LEAST_WIDE: Final = 320
_QUALITY: Final = 80
_PEAK: Final = (255, 0, 200)  # of a colour that few pictures have
_LEAST: Final = 20.0  # levels that neighbours must differ by beyond a slope, to be an edge in focus
_NOISES: Final = 8.0


def jpeg(image: Image, *, peaking: bool) -> bytes:
    """Return uint8 RGB (h, w, 3) as JPEG, at most 960 px wide.

    Args:
        image: whole.
        peaking: colour the edges that are in focus.
    """
    picture = _sized(image)
    if peaking:
        # Judged before the picture is made smaller, which makes all of it sharp.
        edges = in_focus(image)
        shown = cv2.resize(edges, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_AREA)
        picture = picture.copy()
        picture[shown > 0] = _PEAK
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return bytes(data)


def in_focus(image: Image) -> np.ndarray:
    """Return where uint8 RGB (h, w, 3) has edges as sharp as a lens in focus makes them, 0 or 255, (h, w)."""
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    bend = np.abs(cv2.Laplacian(grey, cv2.CV_16S, ksize=1))
    # The median is noise alone, as edges are few.
    least = max(_LEAST, _NOISES * float(np.median(bend)))
    return np.asarray(np.where(bend > least, 255, 0), np.uint8)


def _sized(image: Image) -> Image:
    height, width = image.shape[:2]
    wanted = min(max(width, _LEAST_WIDE), _MOST_WIDE)
    if wanted == width:
        return np.ascontiguousarray(image)
    way = cv2.INTER_AREA if wanted < width else cv2.INTER_NEAREST
    size = (wanted, max(1, round(height * wanted / width)))
    return np.asarray(cv2.resize(np.ascontiguousarray(image), size, interpolation=way), np.uint8)
