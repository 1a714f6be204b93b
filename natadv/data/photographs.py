"""Photographs without labels: what drops are put on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from natadv.data.gtsrb import read_ppm
from natadv.errors import DataError
from natadv.images import SUFFIXES, Image, read_image


class Photographs(Protocol):
    """Pictures by number, of any sizes; a `Dataset` is one too."""

    def __len__(self) -> int: ...

    def read(self, index: int, /) -> Image:
        """Return a picture, uint8 RGB (h, w, 3)."""
        ...


@dataclass(frozen=True, slots=True)
class PhotographFiles:
    """Image files as photographs, read when they are asked for."""

    paths: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, index: int, /) -> Image:
        """Return a picture, uint8 RGB (h, w, 3).

        Raises:
            DataError: if it cannot be read.
        """
        path = self.paths[index]
        return read_ppm(path) if path.suffix.lower() == ".ppm" else read_image(path)


def find_photographs(folder: Path) -> PhotographFiles:
    """Return all image files of a folder and its sub-folders, in sorted order; labels do not matter.

    Raises:
        DataError: if the folder is missing or holds no images.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise DataError(f"{folder}: no images here" if folder.is_dir() else f"{folder}: no such folder")
    return PhotographFiles(tuple(paths))


class KeptPhotographs:
    """Photographs that stay in memory once they were read, up to a limit: decoding costs more than rendering drops."""

    def __init__(self, photographs: Photographs, *, limit_bytes: int = 1 << 30) -> None:
        self._photographs, self._left = photographs, limit_bytes
        self._kept: dict[int, Image] = {}

    def __len__(self) -> int:
        return len(self._photographs)

    def read(self, index: int, /) -> Image:
        """Return a picture, uint8 RGB (h, w, 3); it is shared, so do not write to it.

        Raises:
            DataError: if it cannot be read.
        """
        if index not in self._kept:
            image = self._photographs.read(index)
            if image.nbytes > self._left:
                return image
            self._left -= image.nbytes
            self._kept[index] = image
        return self._kept[index]
