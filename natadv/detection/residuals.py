"""Statistics of an image's residuals, and a logistic regression of them: a detector that sees how an image was treated.

Second differences (as in SPAM, Pevny et al. 2010), the grid of 8 x 8 blocks, their DCT, and the last bits. It finds a
picture that was once compressed or resized another way; and, on clean images, whether their choice alone tells them.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits

from natadv.images import Image

_REACH = 3
_RIDGE, _STEPS = 0.02, 60


def residual_features(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return statistics of each image, uint8 RGB (n, h, w, 3), (n, features)."""
    return np.stack([_statistics(image) for image in images])


def regression_scores(
    seen: NDArray[np.float64], suspect: NDArray[np.bool_], shown: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Learn to tell suspects by their features, and return the logits of others.

    Args:
        seen: features to learn from, (n, d); those that do not vary there are left out.
        suspect: which of them are, (n,).
        shown: features of others, (m, d).

    Returns:
        Logits, (m,); all 0 where no feature varies.
    """
    mean, spread = seen.mean(0), seen.std(0)
    kept = spread > 1e-9
    if not kept.any():
        return np.zeros(len(shown))
    a, b = (torch.from_numpy((part[:, kept] - mean[kept]) / spread[kept]) for part in (seen, shown))
    truth = torch.from_numpy(suspect.astype(np.float64))
    weights = torch.zeros(a.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=_STEPS)

    def closure() -> float:
        optimizer.zero_grad()
        loss = binary_cross_entropy_with_logits(a @ weights[1:] + weights[0], truth)
        loss = loss + _RIDGE * weights[1:].square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    optimizer.step(closure)
    scores: NDArray[np.float64] = (b @ weights[1:] + weights[0]).detach().numpy()
    return scores


def _statistics(image: Image) -> NDArray[np.float64]:
    # Luma and one chroma: codecs treat them differently.
    planes = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb).astype(np.float64)[..., :2]
    found: list[float] = []
    for plane in np.moveaxis(planes, 2, 0):
        for grey in (plane, plane.T):
            first = np.diff(grey, axis=1)
            second = np.clip(np.rint(np.diff(first, axis=1)), -_REACH, _REACH)
            found += [float((second == value).mean()) for value in range(-_REACH, _REACH + 1)]
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
