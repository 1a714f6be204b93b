"""Fréchet distance between two sets of features (Heusel et al. 2017, Eq. 6; Liu et al. 2023, Eq. 14).

With Inception's features it is the FID; the features are the caller's here, and a result must name them. torchmetrics'
`FrechetInceptionDistance` agrees to its rounding. But it takes the eigenvalues of a product of two d × d matrices, a
second at d = 1280, which for fewer samples than d have no full rank and give it small negative distances; ours needs
matrices no larger than the sets, milliseconds for some hundred samples, which matters for ten splits of many
generators.
"""

import torch
from torch import Tensor


def frechet_distance(features_a: Tensor, features_b: Tensor) -> float:
    """Return the squared Fréchet distance between Gaussians of the two sets' means and covariances.

    |m_a - m_b|² + Tr(C_a + C_b - 2 (C_a C_b)^½), in float64. With C = XᵀX for centred, scaled features X, the trace of
    the root is the sum of the singular values of X_a X_bᵀ: exact at any rank, so that nothing is added to a
    covariance of fewer samples than features.

    The distance falls with the number of samples (Chong and Forsyth 2020): compare only what has as many.

    Args:
        features_a: (n, d), n >= 2.
        features_b: (m, d), m >= 2.

    Raises:
        ValueError: for other shapes, or features that are not finite.
    """
    a, b = _checked(features_a), _checked(features_b)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"expected features of one length, got {a.shape[1]} and {b.shape[1]}")
    means = (a.mean(0) - b.mean(0)).square().sum()
    a, b = _root(a), _root(b)
    traces = a.square().sum() + b.square().sum()
    return max(0.0, float(means + traces - 2 * torch.linalg.svdvals(a @ b.T).sum()))


def _checked(features: Tensor) -> Tensor:
    if features.ndim != 2 or len(features) < 2 or not features.isfinite().all():
        raise ValueError(f"expected finite features (n, d) of two pictures or more, got {tuple(features.shape)}")
    return features.detach().double()


def _root(features: Tensor) -> Tensor:
    """Return X, (at most d, d), with XᵀX the features' covariance."""
    centred = (features - features.mean(0)) / (len(features) - 1) ** 0.5
    if len(centred) <= centred.shape[1]:
        return centred
    return torch.linalg.qr(centred, mode="r").R
