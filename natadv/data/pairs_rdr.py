"""The Raindrop Removal dataset (RDR) as its authors' archives unpack (Qian et al. 2018).

    train/data/0_rain.png    train/gt/0_clean.png     861 pairs
    test_a/data, test_a/gt                             58 pairs, well aligned, taken from test_b
    test_b/data, test_b/gt                            249 pairs

Both sides may have any suffix of an image, as .jpg, also different ones.
"""

import re
from pathlib import Path

from natadv.data.pair import Pair
from natadv.errors import DataError
from natadv.images import SUFFIXES

PARTS = ("train", "test_a", "test_b")


def find_parts(folder: Path) -> dict[str, Path]:
    """Return the parts that a folder holds, by name; a folder that is a part itself is its only one."""
    if _is_part(folder):
        return {folder.resolve().name: folder}
    return {name: folder / name for name in PARTS if _is_part(folder / name)}


def read_part(part: Path) -> list[Pair]:
    """Return the pairs of a part; their keys are as "test_a/17", their photographs the same until looked at.

    Raises:
        DataError: if a file has no partner, two stand for one side, or there are no images.
    """
    rain, clean = _numbered(part / "data", "rain"), _numbered(part / "gt", "clean")
    if not rain and not clean:
        raise DataError(f"{part}: no images called NUMBER_rain in data/ and NUMBER_clean in gt/")
    for these, others, other in ((rain, clean, "gt/{}_clean"), (clean, rain, "data/{}_rain")):
        alone = sorted(these.keys() - others.keys(), key=int)
        if alone:
            raise DataError(
                f"{these[alone[0]]}: has no partner {other.format(alone[0])}; {len(alone)} such files of {len(these)}"
            )
    keys = {number: f"{part.resolve().name}/{number}" for number in sorted(rain, key=int)}
    return [Pair(key, key, clean[number], rain[number]) for number, key in keys.items()]


def _is_part(folder: Path) -> bool:
    return (folder / "data").is_dir() and (folder / "gt").is_dir()


def _numbered(folder: Path, side: str) -> dict[str, Path]:
    """Return the images of a side by number; other files do not count."""
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        match = re.fullmatch(rf"(\d+)_{side}", path.stem)
        if not match or path.suffix.lower() not in SUFFIXES:
            continue
        if match[1] in files:
            raise DataError(f"{path}: stands for the same side as {files[match[1]].name}; remove one of them")
        files[match[1]] = path
    return files
