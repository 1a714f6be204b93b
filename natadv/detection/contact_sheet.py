"""A contact sheet: a row for each kind of a bank, a column for each source, so that an eye can judge what kinds do."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from natadv.detection.banked import Banked, BankPapers
from natadv.detection.kin import Part
from natadv.errors import DataError
from natadv.images import Image, read_image

_NAME_PX = 92


def contact_sheet(folder: Path, bank: BankPapers, *, part: Part = "test", columns: int = 10, scale: int = 1) -> Image:
    """Return a picture of a bank, uint8 RGB, kinds by name at the left.

    The columns are the sources that most kinds have; where a kind has none of one, it shows another of its images.

    Args:
        folder: of the bank.
        bank: its papers.
        part: to show.
        columns: images of each kind.
        scale: how often each pixel is repeated.

    Raises:
        DataError: if a kind has fewer images, or one cannot be read.
    """
    kinds = {kind: bank.of(part, kind) for kind in bank.kinds}
    short = next((kind for kind, images in kinds.items() if len(images) < columns), None)
    if short is not None:
        raise DataError(f"{folder}: has {len(kinds[short])} images of {short} for {part}ing; show no more --columns")
    having = Counter(source for images in kinds.values() for source in {image.source for image in images})
    sources = [source for source, _ in having.most_common(columns)]
    rows = []
    for kind, images in kinds.items():
        shown = [_pixels(folder, image, scale) for image in _lined_up(images, sources)]
        rows.append(np.concatenate([_name(kind, shown[0].shape[0]), *shown], 1))
    return np.concatenate(rows, 0)


def _lined_up(images: Sequence[Banked], sources: Sequence[str]) -> list[Banked]:
    """Return one image for each source, another's where there is none of it."""
    of = {image.source: image for image in reversed(images)}
    others = iter([image for image in images if image.source not in sources] + list(images))
    return [of[source] if source in of else next(others) for source in sources]


def _pixels(folder: Path, image: Banked, scale: int) -> Image:
    return np.asarray(np.kron(read_image(folder / image.path), np.ones((scale, scale, 1), np.uint8)), np.uint8)


def _name(kind: str, height: int) -> Image:
    paper = np.full((height, _NAME_PX, 3), 255, np.uint8)
    cv2.putText(paper, kind, (2, height // 2 + 4), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (40, 40, 40), 1, cv2.LINE_AA)
    return paper
