"""How often an attack succeeds, and by how much change: of the images that the model got right."""

from dataclasses import dataclass

import torch
from torch import Tensor

from natadv.attacks.outcome import Outcome
from natadv.attacks.success import Model
from natadv.evaluation.perturbation import perturbation
from natadv.evaluation.rates import Rate


@dataclass(frozen=True, slots=True)
class Success:
    """What an attack did to the images that the model got right.

    The sizes are means over the images that were fooled, NaN where none was; see
    `natadv.evaluation.perturbation.Perturbation`.

    Attributes:
        rate: fooled of those that count.
        queries: mean forward passes an image that counts; `gradients`, backward passes.
    """

    rate: Rate
    mean: float
    p95: float
    coverage: float
    l2: float
    linf: float
    queries: float
    gradients: float


def success(outcome: Outcome, images: Tensor, right: Tensor) -> Success:
    """Count an outcome.

    Args:
        outcome: of attacking `images`.
        images: clean, (n, 3, h, w).
        right: bool, (n,); where the model is right on the clean image. The others do not count.
    """
    fooled = outcome.fooled & right
    size = perturbation(images[fooled], outcome.images[fooled])
    return Success(
        rate=Rate(int(fooled.sum()), int(right.sum())),
        mean=size.mean.mean().item(),
        p95=size.p95.mean().item(),
        coverage=size.coverage.mean().item(),
        l2=size.l2.mean().item(),
        linf=size.linf.mean().item(),
        queries=outcome.queries[right].double().mean().item(),
        gradients=outcome.gradients[right].double().mean().item(),
    )


@torch.no_grad()
def is_right(model: Model, images: Tensor, labels: Tensor, *, batch_size: int = 64) -> Tensor:
    """Return where the model puts the true class first, bool, (n,).

    Args:
        model: in eval mode.
        images: (n, 3, h, w), RGB in [0, 1].
        labels: true classes, (n,).
        batch_size: images at once.

    Raises:
        ValueError: if an answer is NaN, which `argmax` takes for the largest of all.
    """
    parts = [torch.zeros_like(labels[:0], dtype=torch.bool)]
    for some, true in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        if len(some):
            answers = model(some)
            if answers.isnan().any():
                raise ValueError("answers NaN, so nothing can be said of what it gets right")
            parts.append(answers.argmax(1) == true)
    return torch.cat(parts)
