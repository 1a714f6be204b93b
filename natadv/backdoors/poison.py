"""Poisoning: a share of a training set gets the trigger and the target's label (Zhao et al. 2022, Eq. 3)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from natadv.backdoors.trigger import Trigger
from natadv.training.pictures import Pictures

_CHOICE, _TRIGGER, _TEST = 1, 2, 3  # streams of chance of one seed


@dataclass(frozen=True)
class Poisoning:
    """What is done to a training set.

    Attributes:
        trigger: put on the poisoned images.
        target: class that they get.
        share: kappa, of all training images, above 0 and at most 1; the paper's default is 0.09.
        seed: of the choice, and of what is drawn for each image.
    """

    trigger: Trigger
    target: int
    share: float = 0.09
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ValueError(f"expected a share above 0 and at most 1, got {self.share}")
        if self.target < 0:
            raise ValueError(f"expected a class index, got {self.target}")

    @property
    def settings(self) -> Mapping[str, Any]:
        """All of it, as plain values."""
        trigger = {"name": self.trigger.name, **self.trigger.settings}
        return {"trigger": trigger, "share": self.share, "seed": self.seed}

    def chosen(self, count: int) -> NDArray[np.int64]:
        """Return which of `count` images are poisoned, sorted; at least one.

        They are drawn from all classes, the target's too, as in step 2 of Algorithm 1.
        """
        chance = np.random.default_rng([self.seed, _CHOICE])
        return np.sort(chance.permutation(count)[: max(1, round(self.share * count))])

    def triggered(self, image: NDArray[np.uint8], number: int, *, test: bool = False) -> NDArray[np.uint8]:
        """Return an image, uint8 RGB (h, w, 3), with the trigger that the image of this number has.

        Args:
            image: clean.
            number: in its part of the data.
            test: in the test part; its chance is another than the training part's.
        """
        chance = np.random.default_rng([self.seed, _TEST if test else _TRIGGER, number])
        return self.trigger(image[None], chance)[0]


def poison(pictures: Pictures, poisoning: Poisoning) -> tuple[Pictures, NDArray[np.int64]]:
    """Return a poisoned training set, and which of its images are poisoned."""
    chosen = poisoning.chosen(len(pictures))
    images, targets = pictures.images.copy(), pictures.targets.copy()
    for index in chosen:
        images[index] = poisoning.triggered(images[index], int(index))
    targets[chosen] = poisoning.target
    return replace(pictures, images=images, targets=targets), chosen


def triggered_test(pictures: Pictures, poisoning: Poisoning) -> Pictures:
    """Return the test images that are not the target's, each with the trigger, under their true classes."""
    others = np.flatnonzero(pictures.targets != poisoning.target)
    images = [poisoning.triggered(pictures.images[index], int(index), test=True) for index in others]
    shown = np.stack(images) if images else pictures.images[:0]
    return replace(pictures.subset(others), images=shown)
