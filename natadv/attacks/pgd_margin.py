"""PGD on the margin: the lead of the best wrong class is climbed, by steps that shorten (Madry et al. 2018, Sec. 5.1).

Cross-entropy saturates where a classifier is sure, and a fixed step ends beside what it looks for. On RAIN
nothing of as many passes did more: docs/decisions/0008.
"""

import torch
from torch import Tensor

from natadv.attacks.foreign import BUDGET, keep_what_fools
from natadv.attacks.outcome import Outcome
from natadv.attacks.success import Model, climbable_lead

_LAST_STEP = 0.1
"""Of the first step's length."""


def pgd_margin(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = BUDGET,
    steps: int = 40,
    step_size: float | None = None,
    seed: int = 0,
    surrogate: Model | None = None,
    batch_size: int = 32,
) -> Outcome:
    """Take `steps` steps along the sign of the margin's gradient, from a random point within the budget.

    The margin is that of Carlini and Wagner 2017, their f6 without the constant: the best wrong logit less the true
    one. The first step is `step_size`, a quarter of `epsilon` by default, the last a tenth of it, in a straight line.
    The other arguments and what they raise are as in `natadv.attacks.library`.

    Raises:
        ValueError: if there are no steps.
    """
    if steps < 1:
        raise ValueError(f"expected one step or more, got {steps}")
    first = epsilon / 4 if step_size is None else step_size

    def craft(source: Model, clean: Tensor, targets: Tensor) -> Tensor:
        found = (clean + torch.empty_like(clean).uniform_(-epsilon, epsilon)).clamp(0, 1)
        for length in torch.linspace(first, _LAST_STEP * first, steps).tolist():
            found.requires_grad_()
            (gradient,) = torch.autograd.grad(climbable_lead(source(found), targets).sum(), found)
            found = (found.detach() + length * gradient.sign()).clamp(clean - epsilon, clean + epsilon).clamp(0, 1)
        return found

    return keep_what_fools(
        craft, model, images, labels, epsilon=epsilon, surrogate=surrogate, seed=seed, batch_size=batch_size
    )
