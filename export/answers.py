"""Answers: what a model said of labelled images, image by image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from natadv.evaluation.rates import KinRate, Rate


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a model said, in the images' order.

    Attributes:
        places: the true class of each, (n,).
        answered: the most probable one, (n,).
        confidence: its probability, 0..1, (n,).
        things: what each is of, as frames of one sign are; None counts each image for itself.
    """

    places: NDArray[np.int64]
    answered: NDArray[np.int64]
    confidence: NDArray[np.float32]
    things: tuple[str, ...] | None = None

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which of them are."""
        return np.asarray(self.answered == self.places)

    @property
    def rate(self) -> Rate:
        """How many of them are right; its interval counts things."""
        if self.things is None:
            return Rate(int(self.right.sum()), len(self.places))
        return KinRate.of(self.right.tolist(), self.things)

    @property
    def kin(self) -> int | None:
        """Of how many things the images are, where these are fewer; else None."""
        things = len(self.places) if self.things is None else len(set(self.things))
        return things if things < len(self.places) else None


def joined(parts: Sequence[Answers]) -> Answers:
    """Return the answers of several batches, at least one, as those of one."""
    return Answers(
        np.concatenate([part.places for part in parts]),
        np.concatenate([part.answered for part in parts]),
        np.concatenate([part.confidence for part in parts]),
    )
