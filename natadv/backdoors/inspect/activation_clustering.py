"""Activation clustering: poisoned pictures of a class form a cluster of their own (Chen et al. 2018, Sec. 4).

The features of all pictures that carry a label are reduced to their principal components and parted in two. Where two
clusters lie well apart, the silhouette is high, and one of them may be poison: the smaller one as a rule, though a
target class may well hold more poison than pictures of its own. Chen et al. take independent components, ours are
principal.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

COMPONENTS = 10
_STARTS, _ROUNDS = 8, 50


@dataclass(frozen=True)
class Clusters:
    """How the pictures of one class fall apart.

    Attributes:
        silhouette: mean of all pictures (Rousseeuw 1987), -1..1; NaN where they do not fall apart.
        smaller: which of the class's pictures are in the smaller cluster, bool (n,).
    """

    silhouette: float
    smaller: NDArray[np.bool_]

    @property
    def share(self) -> float:
        """Of the class's pictures that are in the smaller cluster, 0..0.5."""
        return float(self.smaller.mean()) if len(self.smaller) else 0.0


def cluster_class(features: Floats, generator: np.random.Generator) -> Clusters:
    """Part the pictures of one class in two.

    Args:
        features: of the data's pictures that carry the label, (n, d).
        generator: of the first centres.
    """
    if len(features) < 4 or not features.std(0).any():
        return Clusters(float("nan"), np.zeros(len(features), bool))
    mean, axes = principal(features, COMPONENTS)
    reduced = (features - mean) @ axes.T
    second = two_means(reduced, generator)
    return Clusters(silhouette_of(reduced, second), second if second.mean() <= 0.5 else ~second)


def principal(features: Floats, components: int) -> tuple[Floats, Floats]:
    """Return the mean, (d,), and the first principal axes, (k, d), k <= components."""
    mean = features.mean(0)
    _, _, axes = np.linalg.svd(features - mean, full_matrices=False)
    return mean, axes[:components]


def two_means(points: Floats, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Part points, (n, d), by 2-means (Lloyd 1982), the best of some starts; return who is in the second."""
    best: tuple[float, NDArray[np.bool_]] | None = None
    for _ in range(_STARTS):
        first = points[generator.integers(len(points))]
        far = ((points - first) ** 2).sum(1)
        # As k-means++ begins: the second centre is far from the first.
        weights = far / far.sum() if far.sum() else np.full(len(points), 1 / len(points))
        centres = np.stack([first, points[generator.choice(len(points), p=weights)]])
        second = _nearer_second(points, centres)
        for _ in range(_ROUNDS):
            if second.all() or not second.any():
                break
            centres = np.stack([points[~second].mean(0), points[second].mean(0)])
            moved = _nearer_second(points, centres)
            if (moved == second).all():
                break
            second = moved
        loss = float(((points - centres[second.astype(int)]) ** 2).sum())
        if best is None or loss < best[0]:
            best = loss, second
    if best is None:
        raise ValueError("expected at least one start")
    return best[1]


def silhouette_of(points: Floats, second: NDArray[np.bool_]) -> float:
    """Return the mean silhouette of points, (n, d), in two clusters; NaN if one is empty."""
    if second.all() or not second.any():
        return float("nan")
    squares = (points**2).sum(1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * points @ points.T, 0))
    to_second, to_first = distances[:, second].sum(1), distances[:, ~second].sum(1)
    own = np.where(second, to_second, to_first) / np.maximum(np.where(second, second.sum(), (~second).sum()) - 1, 1)
    other = np.where(second, to_first / (~second).sum(), to_second / second.sum())
    larger = np.maximum(own, other)
    alone = np.where(second, second.sum(), (~second).sum()) == 1
    return float(np.where(alone | (larger == 0), 0.0, (other - own) / np.where(larger == 0, 1, larger)).mean())


def _nearer_second(points: Floats, centres: Floats) -> NDArray[np.bool_]:
    first, second = (((points - centre) ** 2).sum(1) for centre in centres)
    return np.asarray(second < first)
