"""Painting: a frame with what was said of it, as a small JPEG; old news is grey and says so."""

from typing import Final

import cv2
import numpy as np

from edge.sinks import Observation
from edge.video import annotated
from natadv.images import Image

_MOST_WIDE: Final = 960
_LEAST_WIDE: Final = 320  # text on less cannot be read
_QUALITY: Final = 80
_INK: Final = (255, 255, 255)


def jpeg(observation: Observation, trouble: str | None = None) -> bytes:
    """Return an observation's frame as JPEG, at most 960 px wide.

    Args:
        observation: what was said of it is drawn into its corner.
        trouble: why it is old news; None: it is not.
    """
    image = _fitting(observation.shot.frame.image)
    picture = annotated(image, observation) if trouble is None else _faded(image, trouble)
    _, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return bytes(data)


def _fitting(image: Image) -> Image:
    height, width = image.shape[:2]
    wanted = min(max(width, _LEAST_WIDE), _MOST_WIDE)
    if wanted == width:
        return image
    way = cv2.INTER_AREA if wanted < width else cv2.INTER_NEAREST
    size = (wanted, max(1, round(height * wanted / width)))
    return np.asarray(cv2.resize(np.ascontiguousarray(image), size, interpolation=way), np.uint8)


def _faded(image: Image, trouble: str) -> Image:
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY) // 3 + 60
    picture = np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8)
    title, _, reason = trouble.partition(": ")
    middle = picture.shape[0] // 2
    for text, row, scale in ((title, middle, 0.7), (reason, middle + 24, 0.45)):
        (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        fitting = min(scale, scale * (picture.shape[1] - 16) / max(1, width))
        cv2.putText(picture, text, (8, row), cv2.FONT_HERSHEY_SIMPLEX, fitting, _INK, 1, cv2.LINE_AA)
    return picture
