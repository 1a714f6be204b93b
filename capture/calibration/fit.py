"""Least squares with the uncertainty of what was fitted; scipy's, which the extra `calibration` brings."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

_TRACE = 1e-10

Values = NDArray[np.float64]


def fitted(
    residuals: Callable[[Values], Values],
    start: Values | Sequence[float],
    bounds: tuple[Sequence[float], Sequence[float]] | None = None,
    *,
    noise: float = 0.0,
) -> tuple[Values, Values]:
    """Minimise the sum of squares.

    Args:
        residuals: of (m,) values, (n,), n > m.
        start: (m,) values to begin with.
        bounds: the least and the greatest values, m of each; None for any.
        noise: the least standard deviation of a residual; those that fit better do so by luck.

    Returns:
        The values, and their standard deviations by the residuals' own size.
    """
    from scipy.optimize import least_squares  # noqa: PLC0415  # a tenth of a second to import

    within = bounds or (-np.inf, np.inf)
    found = least_squares(residuals, np.asarray(start, np.float64), x_scale="jac", bounds=within)
    jacobian = np.asarray(found.jac, np.float64)
    freedom = max(1, len(found.fun) - len(found.x))
    squares = jacobian.T @ jacobian
    # What the residuals do not depend on is not known at all; a trace on the diagonal says so, and no more.
    squares += np.eye(len(squares)) * _TRACE * np.trace(squares)
    covariance = np.linalg.inv(squares) * max(2 * found.cost / freedom, noise**2)
    return np.asarray(found.x, np.float64), np.sqrt(np.maximum(np.diag(covariance), 0.0))
