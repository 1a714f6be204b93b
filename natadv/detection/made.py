"""Made: what the kinds of a bank are made by, and what they make."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from natadv.detection.banked import Family
from natadv.detection.kin import Part
from natadv.images import Image


@dataclass(frozen=True, slots=True)
class Made:
    """An image for a bank.

    Attributes:
        source: key of the image that it was made of.
        label: of the source.
        said: what the model says of it.
        image: uint8 RGB, (h, w, 3), of the bank's size.
    """

    source: str
    label: str
    said: str
    image: Image


@dataclass(frozen=True, slots=True)
class Block:
    """What some sources came to.

    Attributes:
        tried: images that were tried.
        made: those of them that belong in the bank.
    """

    tried: int
    made: tuple[Made, ...]


class Maker(Protocol):
    """Makes the images of one kind."""

    @property
    def family(self) -> Family:
        """The category of the kind."""
        ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """All that decides what it makes, but the sources, as plain values."""
        ...

    def blocks(self, part: Part) -> Iterator[Block]:
        """Yield images of a part, always in one order, until there are no more or the caller has enough."""
        ...
