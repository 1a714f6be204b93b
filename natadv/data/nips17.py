"""The development images of the NIPS-2017 competition on adversarial attacks (Kurakin et al. 2018).

    dev_dataset.csv   a row an image: ImageId, TrueLabel (1..1000), TargetClass, licence and author, ...
    images/ID.png     299x299 px

The labels count from a background class 0, as 1001-class models do; a 1000-class model's are one less. A copy need
not hold every image: `dev_dataset.csv` has all 1000 rows, and those without an image are left out and counted.
"""

import csv
from pathlib import Path

import numpy as np

from natadv.data.dataset import Dataset, Split
from natadv.errors import DataError
from natadv.images import read_image

TABLE = "dev_dataset.csv"
CLASSES = 1001


def holds_nips17(folder: Path) -> bool:
    """Tell whether a folder is of this layout."""
    return (folder / TABLE).is_file()


def load_nips17(folder: Path, split: Split = "test", *, labels: Path | None = None) -> Dataset:
    """Read the images that are there; how many of how many stands in the dataset's name.

    Args:
        folder: holds `dev_dataset.csv` and `images/`.
        split: "test"; there is no other.
        labels: a text file with the name of a class a line, the background's first; by default the labels are "0" to
            "1000".

    Raises:
        DataError: if the table is missing or not the competition's, none of its images is there, the labels are not
            1001, or the split is "train".
    """
    table = folder / TABLE
    if split != "test":
        raise DataError(f"{folder}: NIPS-2017 is a test set; it has no {split} part")
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = [(row["ImageId"], int(row["TrueLabel"])) for row in csv.DictReader(file)]
    except OSError as error:
        raise DataError(f"{table}: cannot be read ({error.strerror})") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise DataError(f"{table}: expected the columns ImageId and TrueLabel, a number") from error
    outside = next((target for _, target in rows if not 0 < target < CLASSES), None)
    if outside is not None:
        raise DataError(f"{table}: a TrueLabel of {outside}; expected 1 to {CLASSES - 1}")
    there = [(path, target) for name, target in rows if (path := folder / "images" / f"{name}.png").is_file()]
    if not there:
        raise DataError(f"{folder / 'images'}: holds none of the {len(rows)} images that {TABLE} names")
    return Dataset(
        name="nips17" if len(there) == len(rows) else f"nips17 ({len(there)} of {len(rows)} images)",
        split=split,
        labels=tuple(map(str, range(CLASSES))) if labels is None else _labels(labels),
        targets=np.array([target for _, target in there], np.int64),
        keys=tuple(path.relative_to(folder).as_posix() for path, _ in there),
        read=lambda i: read_image(there[i][0]),
    )


def _labels(path: Path) -> tuple[str, ...]:
    try:
        names = tuple(path.read_text(encoding="utf-8").splitlines())
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not the names of classes, one a line in UTF-8") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if len(names) != CLASSES:
        raise DataError(f"{path}: {len(names)} lines; expected {CLASSES}, the background's first")
    return names
