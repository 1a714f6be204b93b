"""Spectral signatures: poison shows where a class's features vary most (Tran et al. 2018, Alg. 1).

Each picture's score is its squared projection on the top right singular vector of the class's centred features. The
algorithm removes the 1.5 eps n pictures of highest score, eps being the share of poison that is expected. It is a
filter and gives no verdict; ours asks also how far the tail stands out from the rest.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

FACTOR = 1.5
"""Of the expected share, what is removed."""


@dataclass(frozen=True)
class Spectrum:
    """The spectral signature of one class.

    Attributes:
        scores: of each picture, (n,).
        dominance: share of all variance that is along the top direction, 0..1; NaN where nothing varies.
        shift: how far the data's mean lies from that of the clean pictures along it, in standard deviations of the
            clean; NaN without clean pictures.
    """

    scores: Floats
    dominance: float
    shift: float

    def suspected(self, expected_share: float) -> NDArray[np.bool_]:
        """Return which pictures the algorithm removes: those of highest score, bool (n,).

        Args:
            expected_share: eps, of the class's pictures, 0..1.
        """
        count = min(len(self.scores), int(np.ceil(FACTOR * expected_share * len(self.scores))))
        removed = np.zeros(len(self.scores), bool)
        removed[np.argsort(-self.scores, kind="stable")[:count]] = True
        return removed


def spectrum_of_class(features: Floats, clean: Floats | None) -> Spectrum:
    """Return the spectral signature of the features of one class, (n, d), and of clean pictures of it, (m, d) or None.

    With clean pictures the features are centred on their mean, not on the data's, which poison draws to itself: where
    half of a class is poison, both halves are as far from the middle.
    """
    if len(features) < 4 or not features.std(0).any():
        return Spectrum(np.zeros(len(features), np.float32), float("nan"), float("nan"))
    known = clean is not None and len(clean) >= 4
    centre = clean.mean(0) if known and clean is not None else features.mean(0)
    centred = features - features.mean(0)
    _, lengths, axes = np.linalg.svd(centred, full_matrices=False)
    dominance = float(lengths[0] ** 2 / (lengths**2).sum())
    along = (features - centre) @ axes[0]
    shift = float("nan")
    if known and clean is not None:
        spread = float(((clean - centre) @ axes[0]).std())
        shift = float(abs(along.mean()) / spread) if spread else float("inf")
    return Spectrum(np.asarray(along**2, np.float32), dominance, shift)
