"""Hits as training pictures: frames that fooled a model, with the papers that say where each came from.

Capture writes them as a labelled image folder with `provenance.csv` beside the labels. Training on a session that
a result is measured on would make that result worthless, so a folder without its papers, or with one frame of a
test session, is refused whole.
"""

import csv
import hashlib
from pathlib import Path

import numpy as np

from natadv.data.dataset import Dataset
from natadv.durable import PART_SUFFIX
from natadv.errors import DataError
from natadv.images import labelled_files, read_image

PROVENANCE = "provenance.csv"
_COLUMNS = ("path", "label", "session_purpose")


def load_hits(folder: Path, labels: tuple[str, ...]) -> Dataset:
    """Read the hits of a training session; a session without hits gives an empty dataset.

    Raises:
        DataError: if the papers are missing or torn, a frame is of a test session, a listed image is missing, an
            image is not listed, or a label is not one of `labels`.
    """
    table = folder / PROVENANCE
    rows = _rows(table)
    for number, row in enumerate(rows, start=2):
        if row["session_purpose"] != "training":
            raise DataError(
                f"{table}, line {number}: a frame of a session for {row['session_purpose'] or 'no purpose'}; "
                "training takes hits of training sessions alone"
            )
        if row["label"] not in labels:
            raise DataError(f"{table}, line {number}: label {row['label']!r} is not one of the training data's")
        path = Path(row["path"])
        if path.is_absolute() or ".." in path.parts or not (folder / path).is_file():
            raise DataError(f"{table}, line {number}: {row['path']}: no such image in the folder")
    listed = {Path(row["path"]) for row in rows}
    for file in _files(folder):
        if file.relative_to(folder) not in listed:
            raise DataError(f"{file}: not listed in {PROVENANCE}, so nobody knows which session it is from")
    return Dataset(
        name=folder.name,
        split="train",
        labels=labels,
        targets=np.array([labels.index(row["label"]) for row in rows], np.int64),
        keys=tuple(row["path"] for row in rows),
        read=lambda i: read_image(folder / rows[i]["path"]),
    )


def evidence_folders(folder: Path) -> list[Path]:
    """Return the folders of hits that labelling a folder of evidence of live runs has made, in order.

    Raises:
        DataError: if the folder is none, or nothing in it was labelled.
    """
    labelled = sorted(path.parent for path in (folder / "labelled").glob(f"*/{PROVENANCE}"))
    found = [one for one in labelled if one.suffix != PART_SUFFIX and not one.name.startswith(".")]
    if not found:
        raise DataError(
            f"{folder}: no labelled evidence; label clips of `natadv edge run --evidence` with `natadv edge label`"
        )
    return found


def count_hits(folder: Path) -> int:
    """Return how many hits the papers of a folder list.

    Raises:
        DataError: if the papers are missing or torn.
    """
    return len(_rows(folder / PROVENANCE))


def provenance_digest(folder: Path) -> str:
    """Return the sha256, in hex, of the papers of a folder that `load_hits` has read."""
    return hashlib.sha256((folder / PROVENANCE).read_bytes()).hexdigest()


def _rows(table: Path) -> list[dict[str, str]]:
    if not table.is_file():
        raise DataError(f"{table}: missing; hits are taken with their papers only, as `natadv capture scan` writes")
    try:
        with table.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table}: cannot be read ({error})") from error
    if missing:
        raise DataError(f"{table}: lacks the column {missing[0]!r}; scan the session again")
    if any(row[column] is None for row in rows for column in _COLUMNS):
        raise DataError(f"{table}: its last line is torn; scan the session again")
    return rows


def _files(folder: Path) -> list[Path]:
    if not any(path.is_dir() and any(path.iterdir()) for path in folder.iterdir()):
        return []
    return [file.path for file in labelled_files(folder)]
