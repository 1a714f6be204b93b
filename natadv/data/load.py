"""Datasets by name or folder."""

from pathlib import Path
from typing import cast

from natadv.data.cifar10 import load_cifar10
from natadv.data.dataset import SPLITS, Dataset, Split
from natadv.data.folder import load_folder
from natadv.data.gtsrb import find_gtsrb, load_gtsrb
from natadv.data.nips17 import holds_nips17, load_nips17
from natadv.data.signs import load_signs
from natadv.data.stl10 import load_stl10
from natadv.errors import ConfigError

NAMES = ("signs", "gtsrb", "cifar10", "stl10")


def load_dataset(name_or_folder: str | Path, split: str, *, root: Path = Path("data")) -> Dataset:
    """Return one split of a dataset.

    A name goes before a folder of the same name in the working directory; write `./signs` for the folder. A folder
    is read as GTSRB where it holds the official `GTSRB/`, as NIPS-2017 where it holds `dev_dataset.csv`, and as a
    labelled image folder otherwise. The two splits of a folder never share a file.

    Args:
        name_or_folder: `signs`, `gtsrb`, `cifar10`, `stl10`, or a folder.
        split: "train" or "test".
        root: where the official archives of named datasets lie unpacked.

    Raises:
        ConfigError: if it is neither a name nor a folder, or there is no such split.
        DataError: if the folder does not hold what it should.
    """
    if split not in SPLITS:
        raise ConfigError(f"split {split!r}: expected train or test")
    part = cast(Split, split)
    if name_or_folder == "signs":
        return load_signs(part)
    if name_or_folder == "gtsrb":
        return load_gtsrb(root, part)
    if name_or_folder == "cifar10":
        return load_cifar10(root, part)
    if name_or_folder == "stl10":
        return load_stl10(root, part)
    folder = Path(name_or_folder)
    if not folder.is_dir():
        raise ConfigError(f"data {str(name_or_folder)!r}: neither a folder nor one of {', '.join(NAMES)}")
    if find_gtsrb(folder):
        return load_gtsrb(folder, part)
    return load_nips17(folder, part) if holds_nips17(folder) else load_folder(folder, part)


def load_test(data: str, root: Path, labels: Path | None = None) -> Dataset:
    """Return the test part of a dataset to attack.

    Args:
        data: as `load_dataset` takes it.
        root: where named datasets lie unpacked.
        labels: names of NIPS-2017's classes, one a line; None where the data name their classes themselves.

    Raises:
        ConfigError: if there are no such data, or `labels` are given for data that need none.
        DataError: if they do not hold what they should.
    """
    if labels is None:
        return load_dataset(data, "test", root=root)
    if not holds_nips17(Path(data)):
        raise ConfigError(f"--labels {labels}: {data} names its classes itself")
    return load_nips17(Path(data), labels=labels)
