"""Labelled image folders: FOLDER/{train,test}/LABEL/* or FOLDER/LABEL/*.

Of a folder without parts of its own, one image in five of each label is the test part: which ones follows from the
names of the files alone, so that every command, whatever its seed, holds the same images back.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from natadv.data.dataset import SPLITS, Dataset, Split
from natadv.data.origins import read_origins
from natadv.errors import DataError
from natadv.images import labelled_files, read_image

HELD_BACK = 0.2
SOURCE = "source.json"
"""Where exported images come from, beside the labels; a test split is neither trained on nor recorded for training."""


def load_folder(folder: Path, split: Split) -> Dataset:
    """Read a labelled image folder; labels are the sub-folders' names in sorted order.

    Where the folder holds `train` and `test`, the labels are those of both, so that a class without images in
    one part keeps its place.

    Raises:
        DataError: if the folder is missing, holds no images, only one of `train` and `test`, or neither and too few
            images to hold some back, or if its `origins.json` is damaged.
    """
    parts = [name for name in SPLITS if (folder / name).is_dir()]
    if not parts:
        whole = _dataset(folder, folder, split, _labels(folder))
        if is_test_split(folder):
            if split == "train":
                raise DataError(f"{folder}: images of a test split (see {SOURCE}, or its name); they train nothing")
            return whole
        held = _held_back(whole)
        if split == "test" and not held.any():
            raise DataError(f"{folder}: too few images to hold some back for a test; add some or a test/ part")
        return whole.subset(np.flatnonzero(held if split == "test" else ~held))
    if len(parts) == 1:
        missing = next(name for name in SPLITS if name not in parts)
        raise DataError(f"{folder}: holds {parts[0]}/ but not {missing}/; expected both, or labels only")
    labels = tuple(sorted(set(_labels(folder / "train")) | set(_labels(folder / "test"))))
    return _dataset(folder, folder / split, split, labels)


def is_test_split(folder: Path) -> bool:
    """Tell whether a folder holds test images: `natadv data export` says so, or it is `test` beside a `train`.

    Raises:
        DataError: if its `source.json` is damaged.
    """
    path = folder / SOURCE
    if not path.is_file():
        whole = folder.resolve()
        return whole.name == "test" and (whole.parent / "train").is_dir()
    try:
        return bool(json.loads(path.read_bytes())["split"] == "test")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: damaged; export the images again") from error


def _held_back(dataset: Dataset) -> NDArray[np.bool_]:
    """Tell which images are the test part: a fifth of each label, the first by a digest of their names."""
    held = np.zeros(len(dataset), bool)
    digests = np.array([hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest() for key in dataset.keys])
    for target in range(len(dataset.labels)):
        members = np.flatnonzero(dataset.targets == target)
        held[members[np.argsort(digests[members])][: round(HELD_BACK * len(members))]] = True
    return held


def _labels(folder: Path) -> tuple[str, ...]:
    return tuple(sorted({file.label for file in labelled_files(folder)}))


def _dataset(folder: Path, part: Path, split: Split, labels: tuple[str, ...]) -> Dataset:
    files = labelled_files(part)
    index = {label: target for target, label in enumerate(labels)}
    return Dataset(
        name=folder.name,
        split=split,
        labels=labels,
        targets=np.array([index[file.label] for file in files], np.int64),
        keys=tuple(f"{file.label}/{file.path.name}" for file in files),
        read=lambda i: read_image(files[i].path),
        copied_from=read_origins(folder, [file.path for file in files]),
    )
