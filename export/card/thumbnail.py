"""Images small enough to stand in a page themselves, as data URIs."""

import base64
from typing import Final

import cv2

from natadv.images import Image, resize

SIDE_PX: Final = 128
_QUALITY: Final = 85
_FINE_QUALITY: Final = 90
_EXACT_BYTES: Final = 14_000


def photograph(image: Image, side_px: int = SIDE_PX) -> str:
    """Return a picture, shrunk to `side_px` at most, as a JPEG."""
    return _uri("jpeg", _encoded(".jpg", _shrunk(image, side_px), cv2.IMWRITE_JPEG_QUALITY, _QUALITY))


def pixels(image: Image) -> str:
    """Return a picture whose single levels matter: exact where that is small, else shrunk, its colours at full size."""
    exact = _encoded(".png", image)
    if len(exact) <= _EXACT_BYTES:
        return _uri("png", exact)
    full_colour = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
    return _uri(
        "jpeg", _encoded(".jpg", _shrunk(image, SIDE_PX), cv2.IMWRITE_JPEG_QUALITY, _FINE_QUALITY, *full_colour)
    )


def _shrunk(image: Image, side_px: int) -> Image:
    height, width = image.shape[:2]
    scale = min(1.0, side_px / max(height, width))
    return resize(image, (max(1, round(scale * height)), max(1, round(scale * width))))


def _encoded(suffix: str, image: Image, *settings: int) -> bytes:
    _, encoded = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), list(settings))
    return encoded.tobytes()


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
