"""When a model counts as fooled: by the 8-bit form of an image, and by more than rounding errors.

A file and a camera hold 8 bits, so an image whose float form alone fools fools nobody. A model's answer to one image
also differs in its last digits with the batch around it; a lead below a margin may be gone when a file is read again.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Model = Callable[[Tensor], Tensor]
"""Maps a batch, float (n, 3, h, w), RGB in [0, 1], to logits, (n, classes)."""

MARGIN = 1e-4
"""Lead of a wrong class, in the model's own unit, that is no rounding error."""


def rounded(images: Tensor) -> Tensor:
    """Return images in [0, 1] as their 8-bit files hold them: every value the nearest multiple of 1 / 255."""
    return (images.detach() * 255).round_().div_(255)


def held(images: Tensor) -> Tensor:
    """Return images as their 8-bit files hold them, cut to [0, 1], with a gradient as if nothing had been rounded."""
    return rounded(images.clamp(0, 1)) + (images - images.detach())


def lead(scores: Tensor, labels: Tensor) -> Tensor:
    """Return by how much the best wrong class leads, (n,): positive where the model errs.

    Args:
        scores: logits or probabilities, (n, classes), at least two classes.
        labels: true classes, (n,).

    Raises:
        ValueError: if the scores are not of that shape, or one is NaN.
    """
    if scores.ndim != 2 or len(scores) != len(labels) or scores.shape[1] < 2:
        raise ValueError(f"expected scores ({len(labels)}, classes), got {tuple(scores.shape)}")
    ahead = climbable_lead(scores.detach(), labels)
    if ahead.isnan().any():
        raise ValueError("the model's scores hold NaN; nothing can be said of its errors")
    return ahead


def climbable_lead(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the same with its gradient, for an attack to climb, and unchecked."""
    true = labels[:, None]
    return scores.scatter(1, true, -torch.inf).amax(1) - scores.gather(1, true)[:, 0]
