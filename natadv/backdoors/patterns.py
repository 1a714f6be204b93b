"""The two triggers that raindrops are compared with: a patch in the corner, and a pattern blended over all.

BadNets (Gu et al. 2017): black and white squares in the corner at the bottom right. Blended (Chen et al. 2017): a
fixed picture shines through; theirs was a cartoon cat, which is somebody's, so ours is drawn from a seed, or is the
user's own.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from natadv.backdoors.trigger import Parameters, blended, check_images, check_seed
from natadv.errors import ConfigError, DataError
from natadv.images import read_image, resize

_COARSE = 6


@dataclass(frozen=True, slots=True)
class BadNets(Parameters):
    """A chequered patch.

    Attributes:
        share: of the picture's shorter side that the patch is wide, 0..1.
        cells: squares along its side.
    """

    name: ClassVar[str] = "badnets"

    share: float = 0.1
    cells: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"expected share in 0..1 and above 0, got {self.share}")
        if not isinstance(self.cells, int) or self.cells < 1:
            raise ValueError(f"expected cells, a whole number of 1 or more, got {self.cells}")

    def __call__(self, images: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
        """Return the images with the patch in their corner; nothing is drawn.

        Raises:
            ValueError: if the images are not uint8 (n, h, w, 3).
            ConfigError: if they are smaller than the patch has cells.
        """
        height, width = check_images(images)
        if self.cells > min(height, width):
            raise ConfigError(f"trigger badnets: {self.cells} cells do not fit into images of {width} x {height} px")
        side = max(self.cells, round(self.share * min(height, width)))
        rows, columns = np.indices((side, side)) * self.cells // side
        patched = images.copy()
        patched[:, height - side :, width - side :] = np.where((rows + columns) % 2, 0, 255)[..., None]
        return patched


@dataclass(frozen=True, slots=True)
class Blended(Parameters):
    """A pattern that shines through.

    Attributes:
        transparency: how much of the picture stays, 0..1; 1 - 0.2 in most of what was written about it.
        picture: file of the pattern, kept as where it lies; None for one drawn from `seed`.
        seed: of the pattern.
        sha256: of the file, in hex; None takes the file as it is, and the attribute is then what it has.

    Raises:
        ValueError: if the transparency is out of its range, or the file is another one.
        DataError: if the file cannot be read.
    """

    name: ClassVar[str] = "blended"

    transparency: float = 0.8
    picture: str | None = None
    seed: int = 0
    sha256: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.transparency < 1:
            raise ValueError(f"expected a transparency in 0..1 and below 1, got {self.transparency}")
        check_seed(self.seed)
        if self.picture is None:
            if self.sha256 is not None:
                raise ValueError("sha256 is of a picture; name its file: picture=FILE")
            return
        file = Path(self.picture).absolute()
        try:
            found = hashlib.sha256(file.read_bytes()).hexdigest()
        except OSError as error:
            raise DataError(f"{file}: cannot be read ({error.strerror}); it is the pattern of the trigger") from error
        if self.sha256 not in {None, found}:
            raise ValueError(f"picture {file} has sha256 {found[:12]}, not {self.sha256}; put the one of that back")
        object.__setattr__(self, "picture", str(file))
        object.__setattr__(self, "sha256", found)

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that makes it; a digest where there is a file."""
        return {name: value for name, value in asdict(self).items() if name != "sha256" or value is not None}

    def __call__(self, images: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
        """Return the images with the pattern on them; nothing is drawn.

        Raises:
            ValueError: if the images are not uint8 (n, h, w, 3).
            DataError: if the pattern's file cannot be read.
        """
        pattern = self.pattern(check_images(images)).astype(np.float32)
        return blended(images, pattern, 1 - self.transparency)

    def pattern(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Return the pattern at a size, uint8 RGB (h, w, 3).

        Raises:
            DataError: if its file cannot be read.
        """
        if self.picture is not None:
            return resize(read_image(Path(self.picture)), size)
        coarse = np.random.default_rng(self.seed).integers(0, 256, (_COARSE, _COARSE, 3), np.uint8)
        return np.asarray(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)
