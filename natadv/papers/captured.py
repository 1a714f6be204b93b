"""The pictures of a session: its clean images as a dataset, and beside each the hit that a model was surest of."""

import csv
from pathlib import Path

import numpy as np

from capture.scan import HITS
from natadv.data.dataset import Dataset
from natadv.data.draw import Drawn
from natadv.errors import DataError
from rigs.archive import Archive
from rigs.hits import PROVENANCE


def fooled_images(archive: Archive, scan: Path, labels: tuple[str, ...] | None) -> tuple[Drawn, dict[int, Path]]:
    """Return the clean images that have a hit, and by an image's number the picture of its surest hit.

    Args:
        archive: the session.
        scan: the folder of one of its scans.
        labels: the classes of the data that were shown; by default the session's own labels.

    Raises:
        DataError: if the scan has no hits, is damaged, or the session has a label that is not one of `labels`.
    """
    surest = _surest(scan / HITS)
    items = [item for item in archive.settings.items if item.number in surest]
    if not items:
        raise DataError(f"{scan}: no image of the session has a hit")
    names = labels or tuple(sorted({item.label for item in archive.settings.items}))
    unknown = next((item.label for item in items if item.label not in names), None)
    if unknown is not None:
        raise DataError(f"{archive.folder}: label {unknown!r} is not one of the data's")
    dataset = Dataset(
        name=f"session {archive.folder.resolve().name}",
        split="test",
        labels=names,
        targets=np.array([names.index(item.label) for item in items], np.int64),
        keys=tuple(item.source for item in items),
        read=lambda i: archive.image(items[i]),
    )
    return Drawn(dataset, np.array([item.number for item in items], np.int64)), surest


def _surest(hits: Path) -> dict[int, Path]:
    try:
        with (hits / PROVENANCE).open(newline="", encoding="utf-8") as file:
            rows = [(int(row["item"]), float(row["confidence"]), hits / row["path"]) for row in csv.DictReader(file)]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{hits / PROVENANCE}: cannot be read; scan again with --force") from error
    best: dict[int, tuple[float, Path]] = {}
    for item, confidence, path in rows:
        if item not in best or confidence > best[item][0]:
            best[item] = (confidence, path)
    return {item: path for item, (_, path) in best.items()}
