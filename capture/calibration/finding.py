"""Finding: what one part of a calibration found out, ready for the page."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from natadv.images import Image
from rigs.calibration import Measure


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A picture of the page: uint8 RGB (h, w, 3)."""

    image: Image
    caption: str


@dataclass(frozen=True, slots=True)
class Line:
    """A curve of a chart; points (x, y) in its own units, `dots` where each is a measurement."""

    name: str
    points: Sequence[tuple[float, float]]
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of the page: curves over one axis."""

    caption: str
    across: str
    up: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finding:
    """What one part found out.

    Attributes:
        title: of its part of the page.
        said: how it was measured, a sentence or two.
        measures: its figures.
        photos: its pictures.
        charts: its charts.
    """

    title: str
    said: str
    measures: tuple[Measure, ...]
    photos: tuple[Photo, ...] = field(default=())
    charts: tuple[Chart, ...] = field(default=())
