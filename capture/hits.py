"""Hits: the frames that fooled a model, written as an ordinary image folder for training.

A hit is a frame of a clip through wet glass that the model gets wrong while it gets *every* frame of the same
image's dry control right: only then did the drops do it. The folder holds LABEL/ITEM-FRAME.png, the label being the
true one, and `provenance.csv`, which says where each came from and whether training may use it.
"""

import csv
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from natadv.durable import file_error, sync
from natadv.images import Image, write_image
from rigs.geometry import ScreenGeometry

PROVENANCE = "provenance.csv"
DEFINITION = "a frame of the wet clip that the model gets wrong, where it gets every frame of the dry control right"

# Hits are stored as finely as the camera saw them, up to this; training shrinks them to its own size.
LARGEST_PX = 256


@dataclass(frozen=True, slots=True)
class Hit:
    """One row of `provenance.csv`: a hit that is kept as a picture.

    Attributes:
        path: of the picture, below the folder of hits.
        session_purpose: "training" or "test"; a test session's hits are never training data.
        image: the clean image's path, as the session names it.
        image_sha256: of that file.
        clip: the clip's folder below the session's.
        frame: place in the clip, from 0.
        frame_index: the camera's own counter.
        timestamp_s: by the camera's clock.
        confidence: of the wrong prediction, 0..1; `label_confidence` that of the true label.
        drop_coverage: share of the picture that drops cover, 0..1; None where the rig cannot know.
    """

    path: str
    label: str
    session: str
    session_purpose: str
    item: int
    image: str
    image_sha256: str
    clip: str
    frame: int
    frame_index: int
    timestamp_s: float
    drop_coverage: float | None
    predicted: str
    confidence: float
    label_confidence: float
    model_sha256: str


def control_is_right(predicted: NDArray[np.integer], target: int) -> bool:
    """Whether the model gets every frame of the control, class indices (n,), right."""
    return bool(len(predicted)) and bool((predicted == target).all())


def hit_frames(predicted: NDArray[np.integer], target: int, control_right: bool) -> NDArray[np.bool_]:
    """Return which frames of a wet clip, class indices (n,), are hits."""
    return np.asarray((predicted != target) & control_right)


def picture_size(geometry: ScreenGeometry) -> tuple[int, int]:
    """Return (height, width) of the shown picture as the camera resolves it, the longer side at most LARGEST_PX."""
    top_left, top_right, bottom_right, bottom_left = geometry.corners_px
    width = (math.dist(top_left, top_right) + math.dist(bottom_left, bottom_right)) / 2
    height = (math.dist(top_left, bottom_left) + math.dist(top_right, bottom_right)) / 2
    scale = min(1.0, LARGEST_PX / max(width, height))
    return max(1, round(scale * height)), max(1, round(scale * width))


class HitPictures:
    """Pictures of at most `limit` hits of a clip, evenly spread over its hits, the first and most confident among them.

    Frames come one by one and how many hits there will be is not known before the end: every `stride`-th is kept,
    and when twice too many are, every other one is let go and the stride doubles.
    """

    def __init__(self, limit: int) -> None:
        """Begin with none; ValueError if `limit` is below 2."""
        if limit < 2:
            raise ValueError(f"expected to keep at least 2 hits of a clip, got {limit}")
        self._limit = limit
        self._stride = 1
        self._seen = 0
        self._spread: dict[int, Image] = {}
        self._best: tuple[float, int, Image] | None = None

    def offer(self, frame: int, confidence: float, picture: Callable[[], Image]) -> None:
        """Take note of a hit; `picture` is called only if it is kept for now."""
        image: Image | None = None
        if self._seen % self._stride == 0:
            image = self._spread[frame] = picture()
            if len(self._spread) > 2 * self._limit:
                self._spread = dict(list(self._spread.items())[::2])
                self._stride *= 2
        if self._best is None or confidence > self._best[0]:
            self._best = (confidence, frame, picture() if image is None else image)
        self._seen += 1

    def chosen(self) -> dict[int, Image]:
        """Return the pictures to keep by their frames, in order."""
        if self._best is None:
            return {}
        _, best, image = self._best
        others = [frame for frame in self._spread if frame != best]
        places = np.linspace(0, len(others) - 1, min(len(others), self._limit - 1)).round().astype(int)
        kept = {others[place]: self._spread[others[place]] for place in places}
        kept[best] = image
        return dict(sorted(kept.items()))


def write_hits(folder: Path, hits: Iterable[Hit], pictures: Callable[[Hit], Image]) -> None:
    """Write the pictures of hits into an image folder; the rows of `provenance.csv` follow by `write_provenance`.

    Raises:
        ResourceError: if the disk is full.
        DataError: if a picture cannot be written for another reason.
    """
    for hit in hits:
        path = folder / hit.path
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, pictures(hit))


def write_provenance(folder: Path, hits: Iterable[Hit]) -> None:
    """Write `provenance.csv`, its header alone where there are no hits.

    Raises:
        ResourceError: if the disk is full.
        DataError: if it cannot be written for another reason.
    """
    path = folder / PROVENANCE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(Hit)], lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(hit) for hit in hits)
        sync(path)
    except OSError as error:
        raise file_error(path, error) from error
