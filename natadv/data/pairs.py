"""Clean/raindrop pairs: `load_pairs` reads a folder in either of two layouts."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from natadv.data.pair import Pair
from natadv.data.pairs_csv import INDEX, read_index
from natadv.data.pairs_rdr import find_parts, read_part
from natadv.data.same_photograph import same_photographs
from natadv.errors import DataError
from natadv.images import read_image


def load_pairs(folder: Path, *, parts: Sequence[str] | None = None) -> list[Pair]:
    """Return the pairs of a folder, in the order of their keys, each with its photograph.

    Every clean side is read once, because which pairs show the same photograph can only be seen.

    Args:
        folder: one with a `pairs.csv` (`pairs_csv`), or the official RDR dataset or a part of it (`pairs_rdr`).
        parts: of RDR, which of train, test_a and test_b; all by default. test_a repeats pictures of test_b, so it
            is left out where both are there and none is named.

    Raises:
        DataError: if the folder has neither layout or lacks a part, a file has no partner or cannot be read, or
            two pairs have one key.
    """
    if (folder / INDEX).is_file():
        if parts is not None:
            raise DataError(f"{folder}: has no parts; they are RDR's, and this is a folder with a {INDEX}")
        pairs = read_index(folder)
    else:
        pairs = [pair for part in _wanted(folder, parts) for pair in read_part(part)]
    pairs = sorted(pairs, key=lambda pair: pair.key)
    names = same_photographs([pair.photograph for pair in pairs], (read_image(pair.clean) for pair in pairs))
    return [replace(pair, photograph=name) for pair, name in zip(pairs, names, strict=True)]


def _wanted(folder: Path, parts: Sequence[str] | None) -> list[Path]:
    there = find_parts(folder)
    if not there:
        raise DataError(
            f"{folder}: no pairs here; expected a {INDEX}, or train/, test_a/ or test_b/ with data/ and gt/"
        )
    if parts is None:
        return [part for name, part in there.items() if name != "test_a" or "test_b" not in there]
    missing = [name for name in parts if name not in there]
    if missing:
        raise DataError(f"{folder}: has no part {missing[0]}; there is {', '.join(there)}")
    return [there[name] for name in parts]
