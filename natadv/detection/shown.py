"""Shown: the images of a bank in memory, with what a detector is to say of them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from natadv.data.kin import kin_of
from natadv.detection.banked import CLEAN, PAPERS, BankPapers
from natadv.detection.kin import Part
from natadv.errors import ConfigError, DataError
from natadv.images import read_image


@dataclass(frozen=True)
class Shown:
    """Images of one side.

    Attributes:
        images: uint8 RGB, (n, side, side, 3).
        kinds: of each, (n,).
        kin: of each: what it is a picture of, (n,).
        clean: whether its kind is of the family `clean`, (n,).
    """

    images: NDArray[np.uint8]
    kinds: NDArray[np.str_]
    kin: NDArray[np.str_]
    clean: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.kinds)

    def where(self, chosen: NDArray[np.bool_]) -> "Shown":
        """Return some of them, in order."""
        return Shown(self.images[chosen], self.kinds[chosen], self.kin[chosen], self.clean[chosen])

    def of(self, kind: str) -> "Shown":
        """Return those of one kind."""
        return self.where(self.kinds == kind)


def adversarial_kinds(papers: BankPapers, chosen: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the adversarial kinds of a bank that were chosen; all, in its order, where none was.

    Raises:
        ConfigError: if the bank has none of a name, or none at all.
    """
    there = tuple(kind for kind, about in papers.kinds.items() if about.family != CLEAN)
    unknown = next((kind for kind in chosen if kind not in there), None)
    if unknown is not None:
        raise ConfigError(f"--kind {unknown}: the bank has {', '.join(there)}")
    if not there:
        raise ConfigError("the bank has clean images alone; make one with adversarial kinds")
    return tuple(kind for kind in there if not chosen or kind in chosen)


def read_shown(folder: Path, papers: BankPapers, part: Part, kinds: tuple[str, ...]) -> Shown:
    """Read the images of some kinds in a part of a bank, after all its clean ones.

    Raises:
        DataError: if an image cannot be read or is not of the bank's size, or a kind has none.
    """
    side = papers.size_px
    kinds = (*papers.kinds_of(CLEAN), *kinds)
    empty = next((kind for kind in kinds if not papers.of(part, kind)), None)
    if empty is not None:
        raise DataError(f"{folder}: has no {empty} images in its part {part}; make a larger bank")
    chosen = [image for kind in kinds for image in papers.of(part, kind)]
    images = np.empty((len(chosen), side, side, 3), np.uint8)
    for place, image in enumerate(chosen):
        try:
            found = read_image(folder / image.path)
        except DataError as error:
            raise DataError(f"{error}; or make the bank again") from error
        if found.shape != images.shape[1:]:
            raise DataError(
                f"{folder / image.path}: is {found.shape[1]}x{found.shape[0]} px, its bank's images are {side}x{side}"
            )
        images[place] = found
    return Shown(
        images,
        np.array([image.kind for image in chosen]),
        np.array([kin_of(image.source) for image in chosen]),
        np.array([papers.kinds[image.kind].family == CLEAN for image in chosen]),
    )


def held_back(shown: Shown, share: float, rng: np.random.Generator, *, least: int = 0) -> NDArray[np.bool_]:
    """Tell which images train nothing: all that are of some kin, drawn apart among those with a clean image.

    A source and what was made of it stay together, so that no detector knows its calibration images.

    Args:
        shown: the training part.
        share: of the kin, 0..1.
        rng: what they are drawn from.
        least: kin with a clean image that are wanted; for that more than the share of them may be held back, up to
            half.
    """
    with_clean = np.unique(shown.kin[shown.clean])
    others = np.setdiff1d(shown.kin, with_clean)
    count = max(round(share * len(with_clean)), min(least, len(with_clean) // 2))
    drawn = rng.permutation(with_clean)[:count], rng.permutation(others)[: round(share * len(others))]
    return np.isin(shown.kin, np.concatenate(drawn))


def bank_digest(folder: Path) -> str:
    """Return the sha256 of a bank's papers, in hex."""
    return hashlib.sha256((folder / PAPERS).read_bytes()).hexdigest()
