"""A folder of hits: frames that fooled a model, as an ordinary image folder that training reads.

The folder holds LABEL/....png, the label being the true one, and `provenance.csv`, which says where each picture came
from and whether training may use it. Scans of sessions write such folders, and a live run's labelled evidence.
"""

import csv
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from natadv.durable import file_error, sync
from natadv.images import Image, write_image

PROVENANCE = "provenance.csv"


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
        confidence: of the wrong prediction, 0..1; `label_confidence` that of the true label; None where
            that is not known.
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
    label_confidence: float | None
    model_sha256: str


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
