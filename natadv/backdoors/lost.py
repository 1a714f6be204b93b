"""P_BA, how much accuracy a backdoor costs (Zhao et al. 2022, Sec. 5.1), with an interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from natadv.evaluation.resampled import KinBootstrap


@dataclass(frozen=True, slots=True)
class Lost:
    """The difference of two accuracies whatever its sign, as in the paper; 0..1.

    Attributes:
        low: and `high`, the ends of its 95 % interval; `low` is 0 where either model may be the better one.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.value:.2f} points (95 % {100 * self.low:.2f}–{100 * self.high:.2f})"


def lost_accuracy(
    clean: NDArray[np.bool_], backdoored: NDArray[np.bool_], things: Sequence[str], *, seed: int = 0
) -> Lost:
    """Compare two models on the same images.

    The interval is of the signed difference, by a bootstrap of what the images are of, which keeps that both models
    saw the same; it has no width where they are right about the same images.

    Args:
        clean: whether the clean model is right about each image, (n,).
        backdoored: likewise.
        things: what each image is of.
        seed: of the bootstrap.
    """
    draws = KinBootstrap(things, seed=seed)
    change = draws.share(clean, things) - draws.share(backdoored, things)
    low, high = change.interval
    near, far = sorted((abs(low), abs(high)))
    return Lost(abs(change.value), 0.0 if low <= 0 <= high else near, far)
