"""Labelled image folders: FOLDER/{train,test}/LABEL/* or FOLDER/LABEL/*."""

from pathlib import Path

import numpy as np

from natadv.data.dataset import SPLITS, Dataset, Split
from natadv.errors import DataError
from natadv.images import labelled_files, read_image


def load_folder(folder: Path, split: Split) -> Dataset:
    """Read a labelled image folder; labels are the sub-folders' names in sorted order.

    Where the folder holds `train` and `test`, the labels are those of both, so that a class without images in
    one part keeps its place.

    Raises:
        DataError: if the folder is missing, holds no images, or only one of `train` and `test`.
    """
    parts = [name for name in SPLITS if (folder / name).is_dir()]
    if not parts:
        return _dataset(folder, folder, split, _labels(folder))
    if len(parts) == 1:
        missing = next(name for name in SPLITS if name not in parts)
        raise DataError(f"{folder}: holds {parts[0]}/ but not {missing}/; expected both, or labels only")
    labels = tuple(sorted(set(_labels(folder / "train")) | set(_labels(folder / "test"))))
    return _dataset(folder, folder / split, split, labels)


def has_splits(folder: Path) -> bool:
    """Tell whether a folder keeps its training and test images apart."""
    return all((folder / name).is_dir() for name in SPLITS)


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
    )
