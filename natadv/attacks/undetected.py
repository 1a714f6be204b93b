"""Undetected: fool a classifier and the detector that watches it, by one who knows both.

Carlini & Wagner 2017b ("Adversarial examples are not easily detected") broke ten detectors by attacking both at once.
Here by PGD, in two ways, of which the better counts for each image. Jointly: the classifier's margin less the
detector's excess times a weight. Selectively (Bryniarski et al. 2022, "Evading adversarial example detection defenses
with orthogonal projected gradient descent", Sec. 3): each step serves the one of the two that is not fooled yet, along
what of its gradient does not touch the other. (Of that the sign is taken, so the other is touched a little after all.)
"""

import math
from collections.abc import Callable, Sequence
from itertools import product

import torch
from torch import Tensor, nn

from natadv.attacks.counted import Counted
from natadv.attacks.foreign import BUDGET, keep_what_fools
from natadv.attacks.outcome import Outcome
from natadv.attacks.success import MARGIN, Model, climbable_lead, held, lead

WEIGHTS = (0.1, 1.0, 10.0)
_LAST_STEP = 0.1
"""Of the first step's length."""
_FINE = 0.5 / 255
"""First step from the clean image: the least that eight bits may show."""
_BEGINS = 2
"""Each way is gone from a random point and from the clean image."""
_ENOUGH = 1.0
"""Logits beyond which more of one aim is not worth anything of the other."""

Detects = Callable[[Tensor], Tensor]
"""Maps a batch, float (n, 3, h, w), RGB in [0, 1], to logits of being adversarial, (n,)."""


class Watched(nn.Module):
    """A classifier and its detector in one pass: logits, and behind them the detector's logit less its threshold."""

    def __init__(self, classifier: Model, detector: Detects, threshold: float) -> None:
        """Put both together.

        Args:
            classifier: maps a batch to logits, (n, classes).
            detector: maps it to logits, (n,).
            threshold: logit above which it calls.
        """
        super().__init__()
        self.classifier, self.detector, self.threshold = classifier, detector, threshold
        self.training = any(isinstance(part, nn.Module) and part.training for part in (classifier, detector))

    def forward(self, batch: Tensor) -> Tensor:
        """Map a batch to (n, classes + 1)."""
        return torch.cat([self.classifier(batch), (self.detector(batch) - self.threshold)[:, None]], 1)


def undetected(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    detector: Detects,
    threshold: float,
    epsilon: float = BUDGET,
    steps: int = 40,
    step_size: float | None = None,
    weights: Sequence[float] = WEIGHTS,
    seed: int = 0,
    batch_size: int = 32,
) -> Outcome:
    """Look for images that the classifier gets wrong while the detector stays silent, both in eight bits.

    An image that the classifier gets wrong unattacked and unseen comes back as it is, as in `keep_what_fools`; all
    others are attacked. Of all steps of all ways the one whose lesser aim is reached furthest in eight bits is kept.

    Args:
        model: the classifier, with logits, in eval mode.
        images: clean images, (n, 3, h, w), RGB in [0, 1].
        labels: true classes, (n,).
        detector: with a gradient, in eval mode.
        threshold: logit above which it calls.
        epsilon: l_inf budget.
        steps: of each way, from a random point and as many from the clean image. From there forty reach 11 levels.
        step_size: of the first from a random point; a quarter of `epsilon` by default, the last is a tenth of it.
        weights: of the detector's excess against the classifier's margin, each a way of its own.
        seed: of the random starts.
        batch_size: images at once.

    Returns:
        `fooled`: both are.

    Raises:
        ValueError: if there are no steps, and as `keep_what_fools`.
    """
    if steps < 1:
        raise ValueError(f"expected one step or more, got {steps}")
    first = epsilon / 4 if step_size is None else step_size
    ways: list[Way] = [_joint(weight) for weight in weights] + [_selective]
    begins = ((epsilon, first), (0.0, min(first, _FINE)))  # how far from the clean image, and the first step from there

    def craft(source: Counted, clean: Tensor, targets: Tensor) -> Tensor:
        best, furthest = clean, torch.full_like(clean[:, 0, 0, 0], -torch.inf)
        for way, (away, longest) in product(ways, begins):
            found = (clean + torch.empty_like(clean).uniform_(-away, away)).clamp(0, 1)
            for length in (*torch.linspace(longest, _LAST_STEP * longest, steps).tolist(), None):
                found.requires_grad_(length is not None)
                shown = held(found)
                answers = source(shown)
                ahead, excess = climbable_lead(answers[:, :-1], targets), answers[:, -1]
                reached = torch.minimum(ahead, -excess).detach()
                further = reached > furthest
                best = torch.where(further[:, None, None, None], shown.detach(), best)
                furthest = torch.where(further, reached, furthest)
                if length is not None:
                    moved = found.detach() + length * way(found, ahead, excess).sign()
                    found = moved.clamp(clean - epsilon, clean + epsilon).clamp(0, 1)
        return best

    watched = Watched(model, detector, threshold)
    return keep_what_fools(
        craft, watched, images, labels, epsilon=epsilon, seed=seed, batch_size=batch_size, fools=fools_both
    )


def passes(images: int, steps: int, batch_size: int = 32) -> int:
    """Return how many batches `undetected` shows the models, with its own weights; the judge sees each twice."""
    return (_BEGINS * (len(WEIGHTS) + 1) * (steps + 1) + 2) * math.ceil(images / batch_size)


@torch.no_grad()
def fools_both(watched: Model, images: Tensor, labels: Tensor) -> Tensor:
    """Tell which images a watched classifier gets wrong while its detector stays silent, (n,)."""
    answers = watched(images)
    return (lead(answers[:, :-1], labels) > MARGIN) & (answers[:, -1] < -MARGIN)


Way = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Maps images, the margin and the excess that they have, (n,), to where to go, like the images."""


def _joint(weight: float) -> Way:
    def way(found: Tensor, ahead: Tensor, excess: Tensor) -> Tensor:
        aim = ahead.clamp(max=_ENOUGH) - weight * excess.clamp(min=-_ENOUGH)
        (gradient,) = torch.autograd.grad(aim.sum(), found)
        return gradient

    return way


def _selective(found: Tensor, ahead: Tensor, excess: Tensor) -> Tensor:
    (up,) = torch.autograd.grad(ahead.sum(), found, retain_graph=True)
    (down,) = torch.autograd.grad(-excess.sum(), found)
    serves_classifier = (ahead <= MARGIN)[:, None, None, None]
    return torch.where(serves_classifier, _beside(up, down), _beside(down, up))


def _beside(direction: Tensor, other: Tensor) -> Tensor:
    """Return what of a direction is orthogonal to another, for each image."""
    along = (direction * other).flatten(1).sum(1) / other.square().flatten(1).sum(1).clamp(min=1e-30)
    return direction - along[:, None, None, None] * other
