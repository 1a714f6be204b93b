"""Detectors that look for traces of a pipeline: in a file's make-up, and in the statistics of residuals.

The second is what finds a picture that was once compressed or resized another way: second differences (as in SPAM,
Pevny et al. 2010), the grid of 8 x 8 blocks, their DCT, and the last bits; a logistic regression weighs them.
"""

import struct
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits

_REACH = 3


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


def residual_features(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return statistics of each image, uint8 (n, h, w, 3), (n, features)."""
    return np.stack([_statistics(image) for image in images])


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
    mean, spread = seen.mean(0), seen.std(0)
    kept = spread > 1e-9
    a, b = ((part[:, kept] - mean[kept]) / spread[kept] for part in (seen, shown))
    scores = _regression(a, truth, b)
    rng = np.random.default_rng(0)
    groups = [np.flatnonzero(answer), np.flatnonzero(~answer)]
    areas = []
    for _ in range(draws):
        drawn = np.concatenate([rng.choice(group, len(group)) for group in groups])
        areas.append(area(scores[drawn], answer[drawn]))
    low, high = np.quantile(areas, [0.025, 0.975])
    return area(scores, answer), float(low), float(high)


def _regression(seen: NDArray[np.float64], truth: NDArray[np.bool_], shown: NDArray[np.float64]) -> NDArray[np.float64]:
    if not seen.shape[1]:
        return np.zeros(len(shown))
    x, y = torch.from_numpy(seen), torch.from_numpy(truth.astype(np.float64))
    weights = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=60)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = binary_cross_entropy_with_logits(x @ weights[1:] + weights[0], y) + 0.02 * weights[1:].square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return (torch.from_numpy(shown) @ weights[1:] + weights[0]).detach().numpy()


def _statistics(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    # Luma and one chroma: codecs treat them differently.
    planes = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb).astype(np.float64)[..., :2]
    found = []
    for plane in np.moveaxis(planes, 2, 0):
        for grey in (plane, plane.T):
            first = np.diff(grey, axis=1)
            second = np.clip(np.rint(np.diff(first, axis=1)), -_REACH, _REACH)
            found += [(second == value).mean() for value in range(-_REACH, _REACH + 1)]
            steps = np.abs(first)
            across = np.array([steps[:, phase::8].mean() for phase in range(8)])
            found += list(across / (across.mean() + 1e-6))
        height, width = (side // 8 * 8 for side in plane.shape)
        blocks = plane[:height, :width].reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2).reshape(-1, 8, 8)
        spectrum = np.stack([cv2.dct(block) for block in blocks])
        found += list(np.log(np.abs(spectrum).mean(0) + 0.1).ravel())
        found += list((np.abs(spectrum) < 0.5).mean(0).ravel())
    found += list((image & 1).mean((0, 1)))
    return np.array(found)
