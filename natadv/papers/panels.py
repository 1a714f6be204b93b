"""Panels of images: Figure 6's, with attention maps and what the model takes each image for, and plain rows."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from natadv.images import Image

_NAMES = 0.12  # inches
_INCH = 1.5  # side of a picture
_RIGHT, _WRONG = "black", "firebrick"


@dataclass(frozen=True, slots=True)
class Seen:
    """An image as the model sees it.

    Attributes:
        image: uint8 RGB, (h, w, 3).
        attention: its map, (h, w), 0..1.
        predicted: the label that the model gives it.
        confidence: how sure it is, 0..1.
        right: whether that is the true label.
    """

    image: Image
    attention: NDArray[np.float32]
    predicted: str
    confidence: float
    right: bool


def attention_panel(titles: Sequence[str], rows: Sequence[Sequence[Seen | None]]) -> bytes:
    """Draw a panel as PNG: per row and title an image and, beside it, its map over the image.

    Args:
        titles: above the columns, as ("clean", "AdvRD", "captured").
        rows: a sequence as long as `titles` each; None leaves a place empty.

    Raises:
        ValueError: if there are no rows, or one is not as long as the titles.
    """
    if not rows or any(len(row) != len(titles) for row in rows):
        raise ValueError(f"expected rows of {len(titles)} images, got {[len(row) for row in rows]}")
    figure = Figure(figsize=(2 * _INCH * len(titles), (_INCH + 0.3) * len(rows) + 0.3), dpi=150, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    places = figure.subplots(len(rows), 2 * len(titles), squeeze=False)
    for place in places.flat:
        place.set_axis_off()
    for column, title in enumerate(titles):
        places[0, 2 * column].set_title(title, fontsize=9, loc="left")
    for line, row in zip(places, rows, strict=True):
        for column, seen in enumerate(row):
            if seen is None:
                continue
            left, right = line[2 * column], line[2 * column + 1]
            left.imshow(seen.image)
            right.imshow(overlay(seen.image, seen.attention))
            caption = f"{_short(seen.predicted)}, {seen.confidence:.2f}"
            colour = _RIGHT if seen.right else _WRONG
            # Text, no axis label: the axes are off. A dollar would begin a formula.
            for place, text in ((left, caption.replace("$", r"\$")), (right, "CAM")):
                place.text(0.5, -0.03, text, transform=place.transAxes, ha="center", va="top", fontsize=7, color=colour)
    return as_png(canvas)


def image_panel(rows: Mapping[str, Sequence[Image]]) -> bytes:
    """Draw rows of images, uint8 RGB (h, w, 3), as PNG, each row with its name before it."""
    longest = max(len(images) for images in rows.values())
    width = _INCH * longest + 0.4
    figure = Figure(figsize=(width, _INCH * len(rows)), dpi=150)
    left = _NAMES / width  # the layout leaves half a letter too little for names that stand on end
    figure.set_layout_engine("constrained", rect=(left, 0, 1 - left, 1))
    canvas = FigureCanvasAgg(figure)
    places = figure.subplots(len(rows), longest, squeeze=False)
    for line, (name, images) in zip(places, rows.items(), strict=True):
        for place in line:
            place.set_axis_off()
        line[0].text(-0.05, 0.5, name, transform=line[0].transAxes, ha="right", va="center", rotation=90, fontsize=9)
        for place, image in zip(line, images, strict=False):
            place.imshow(image)
    return as_png(canvas)


def overlay(image: Image, attention: NDArray[np.float32]) -> Image:
    """Return an image, uint8 (h, w, 3), half covered by the colours of its map, (h, w), 0..1: blue 0, red 1."""
    colours = matplotlib.colormaps["jet"](attention)[..., :3]
    return np.asarray((0.5 * image + 127.5 * colours).round(), np.uint8)


def as_png(canvas: FigureCanvasAgg) -> bytes:
    """Return a figure as PNG, the same bytes for the same figure."""
    written = io.BytesIO()
    canvas.print_figure(written, format="png", metadata={"Software": None})
    return written.getvalue()


def _short(label: str, most: int = 24) -> str:
    """Return the first of a label's names, as "tench" of "tench, Tinca tinca"."""
    first = label.split(",", maxsplit=1)[0].strip()
    return first if len(first) <= most else f"{first[: most - 1]}…"
