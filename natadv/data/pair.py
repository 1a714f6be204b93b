"""Pair: one photograph without and with raindrops."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from natadv.errors import DataError
from natadv.images import Image, read_image

Kind = Literal["true", "pseudo", "pseudo_small"]
KINDS: tuple[str, ...] = get_args(Kind)


class Sides(NamedTuple):
    """The two images of a pair, uint8 RGB (h, w, 3), of one size and aligned."""

    clean: Image
    rain: Image


@dataclass(frozen=True, slots=True)
class Pair:
    """Two files of one view; they are read when they are asked for.

    Attributes:
        key: a name that no other pair of its folder has and that stays the same between runs.
        photograph: what the pair shows; pairs of one photograph never lie on different sides of a split.
        clean: the file without drops.
        rain: the file with drops.
        kind: `true` where both sides were photographed. The clean side of a `pseudo` pair is what a network restored
            from its rain side, that of `pseudo_small` in a picture of some 260 px: neither is ground truth.
    """

    key: str
    photograph: str
    clean: Path
    rain: Path
    kind: Kind = "true"

    @property
    def true(self) -> bool:
        """Whether the clean side was photographed, and may be called ground truth."""
        return self.kind == "true"

    def read(self) -> Sides:
        """Read both sides.

        Raises:
            DataError: if one cannot be read, or their sizes differ.
        """
        sides = Sides(read_image(self.clean), read_image(self.rain))
        if sides.clean.shape != sides.rain.shape:
            (clean_h, clean_w), (rain_h, rain_w) = (side.shape[:2] for side in sides)
            raise DataError(
                f"{self.rain}: is {rain_w}x{rain_h} px, {self.clean.name} of the same pair {clean_w}x{clean_h}; "
                "a pair's sides have one size"
            )
        return sides
