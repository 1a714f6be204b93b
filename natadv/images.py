"""Images on disk and in memory: read, write, resize, list. No torch.

An image is uint8 RGB, (h, w, 3), everywhere in natadv; OpenCV's BGR ends in this file.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.durable import file_error
from natadv.errors import DataError
from natadv.torn import whole

Image = NDArray[np.uint8]

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """One image file of a labelled folder; the label is the name of its folder."""

    path: Path
    label: str


def read_image(path: Path) -> Image:
    """Read an image file as uint8 RGB, (h, w, 3).

    Raises:
        DataError: if the file is missing or no image can be read from it.
    """
    try:
        encoded = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    bgr = _decoded(encoded) if whole(encoded.tobytes()) else None
    if bgr is None:
        raise DataError(f"{path}: not a readable image; replace or remove it")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def _decoded(encoded: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # our one line says it
    try:
        return cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    finally:
        cv2.utils.logging.setLogLevel(level)


def write_image(path: Path, image: Image, *, stored: bool = False) -> None:
    """Write uint8 RGB, (h, w, 3), in the format of the path's suffix.

    Args:
        path: the file.
        image: what to write.
        stored: a PNG's pixels are not compressed, so that the size of the file tells nothing of them.

    Raises:
        ResourceError: if the disk is full.
        DataError: if it cannot be written for another reason.
    """
    how = [cv2.IMWRITE_PNG_COMPRESSION, 0] if stored else []
    ok, encoded = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), how)
    if not ok:
        raise DataError(f"{path}: cannot encode a {path.suffix} image")
    try:
        path.write_bytes(encoded.tobytes())
    except OSError as error:
        raise file_error(path, error) from error


def resize(image: Image, size: tuple[int, int]) -> Image:
    """Resize to `size` = (height, width), the one way training, capture and device all use.

    Averages over areas when shrinking, so that no detail aliases, and interpolates linearly when growing.
    The aspect ratio is not kept: a model's input is its whole image.
    """
    height, width = size
    if image.shape[:2] == (height, width):
        return image
    shrinks = image.shape[0] >= height and image.shape[1] >= width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)


def labelled_files(folder: Path) -> list[LabelledFile]:
    """Return the image files of a folder whose sub-folders are labels, in sorted order.

    Raises:
        DataError: if the folder is missing, has no sub-folders, or no images in them.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected one sub-folder of images per label")
    files = [
        LabelledFile(path, label.name)
        for label in sorted(p for p in folder.iterdir() if p.is_dir())
        for path in sorted(label.iterdir())
        if path.suffix.lower() in SUFFIXES
    ]
    if not files:
        raise DataError(f"{folder}: no images found; expected one sub-folder of images per label")
    return files
