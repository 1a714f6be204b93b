"""What a training of a detector works on: images to learn, and others to choose its threshold by."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from natadv.detection.banked import CLEAN, read_bank
from natadv.detection.detector import BINARY
from natadv.detection.recipe import DetectorRecipe
from natadv.detection.shown import Shown, adversarial_kinds, bank_digest, held_back, read_shown
from natadv.detection.thresholds import least_kin
from natadv.errors import ConfigError

_HELD_BACK = 41  # stream of chance


@dataclass(frozen=True)
class Material:
    """What a run works on.

    Attributes:
        train: images to learn.
        held: images of other sources, to choose the threshold by.
        classes: that are told apart.
        size_px: side of the images.
        provenance: of the bank and of the weights, as plain values; a resumed run must have the same.
    """

    train: Shown
    held: Shown
    classes: tuple[str, ...]
    size_px: int
    provenance: dict[str, Any]

    def targets(self) -> NDArray[np.int64]:
        """Return the class of each training image, (n,)."""
        if self.classes == BINARY:
            return (~self.train.clean).astype(np.int64)
        places = {kind: place for place, kind in enumerate(self.classes)}
        return np.array([places.get(kind, 0) for kind in self.train.kinds], np.int64)


def gather(recipe: DetectorRecipe) -> Material:
    """Read what a recipe trains on.

    Raises:
        ConfigError: if the bank has no such kind, or so small a share of it is held back that a side lacks one.
        DataError: if the bank or the weights are missing or torn.
    """
    folder = Path(recipe.bank)
    papers = read_bank(folder)
    kinds = adversarial_kinds(papers, recipe.kinds)
    shown = read_shown(folder, papers, "train", kinds)
    every = tuple(dict.fromkeys(shown.kinds.tolist()))
    chance = np.random.default_rng([recipe.seed, _HELD_BACK])
    held = held_back(shown, recipe.held_back, chance, least=least_kin(recipe.false_alarms))
    train = shown.where(~held)
    missing = next((kind for kind in every if kind not in train.kinds), None)
    if missing is not None:
        raise ConfigError(f"{folder}: holding {recipe.held_back:g} of it back leaves no {missing} image to learn")
    apart = shown.where(held)
    if apart.clean.all():
        raise ConfigError(
            f"{folder}: holding {recipe.held_back:g} of it back holds no adversarial image back to measure by; hold"
            " more back, or make a larger bank"
        )
    return Material(
        train=train,
        held=apart,
        classes=(CLEAN, *kinds) if recipe.n_plus_one else BINARY,
        size_px=papers.size_px,
        provenance={
            "bank": folder.name,
            "bank_sha256": bank_digest(folder),
            "data": papers.data,
            "attacked": papers.model,
            "attacked_sha256": papers.model_sha256,
            "kinds": {kind: int((train.kinds == kind).sum()) for kind in every},
            "families": {kind: papers.kinds[kind].family for kind in kinds},
            "learnt": sorted(set(shown.kin.tolist())),
            "held_back": {kind: int((shown.kinds[held] == kind).sum()) for kind in every},
        },
    )
