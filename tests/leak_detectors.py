"""Detectors that look for traces of a pipeline: in a file's make-up, and whatever a regression learns of features."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from natadv.detection.residuals import regression_scores


def encoding_of(path: Path) -> dict[str, object]:
    """Return how a PNG was written: its size, its chunks, its header and its stream's first bytes."""
    data = path.read_bytes()
    chunks: list[tuple[str, int]] = []
    stream = b""
    at = 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        name = data[at + 4 : at + 8].decode()
        chunks.append((name, length))
        if name == "IDAT":
            stream += data[at + 8 : at + 8 + length]
        at += 12 + length
    return {"bytes": len(data), "chunks": tuple(chunks), "header": data[16:29], "zlib": stream[:7]}


def file_features(paths: list[Path]) -> NDArray[np.float64]:
    """Return numbers of each file's make-up, (n, 9): nothing of its pixels, name or times."""
    rows = []
    for path in paths:
        made = encoding_of(path)
        rows.append([made["bytes"], len(made["chunks"]), *made["header"][8:10], *made["zlib"][:5]])
    return np.array(rows, np.float64)


def area(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Return the area under the ROC curve: how often a positive scores above a negative, ties half."""
    above = scores[positive][:, None] - scores[~positive][None, :]
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def learnt_area(
    train: tuple[NDArray[np.float64], NDArray[np.bool_]],
    test: tuple[NDArray[np.float64], NDArray[np.bool_]],
    *,
    draws: int = 400,
) -> tuple[float, float, float]:
    """Train a logistic regression and return its area on the test images, with a 95 % bootstrap interval.

    Args:
        train: features, (n, d), and which images are positive, (n,).
        test: others.
        draws: bootstrap samples, each class by itself.
    """
    (seen, truth), (shown, answer) = train, test
    scores = regression_scores(seen, truth, shown)
    rng = np.random.default_rng(0)
    groups = [np.flatnonzero(answer), np.flatnonzero(~answer)]
    areas = []
    for _ in range(draws):
        drawn = np.concatenate([rng.choice(group, len(group)) for group in groups])
        areas.append(area(scores[drawn], answer[drawn]))
    low, high = np.quantile(areas, [0.025, 0.975])
    return area(scores, answer), float(low), float(high)
