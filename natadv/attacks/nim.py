"""NI-FGSM: the gradient is taken where momentum is about to lead (Lin et al. 2020, Eq. 6 to 8).

Ours, because torchattack 1.7's NIFGSM and SINIFGSM add `decay * gradient` where the paper adds `decay * momentum`, and
so have no momentum at all.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from natadv.attacks.foreign import BUDGET, keep_what_fools
from natadv.attacks.outcome import Outcome
from natadv.attacks.success import Model


def nim(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = BUDGET,
    steps: int = 10,
    step_size: float | None = None,
    decay: float = 1.0,
    surrogate: Model | None = None,
    batch_size: int = 32,
) -> Outcome:
    """Take `steps` steps along the sign of a running sum of gradients, each taken one step ahead.

    The arguments and what they raise are as in `natadv.attacks.library`.
    """
    step = epsilon / steps if step_size is None else step_size

    def craft(source: Model, clean: Tensor, targets: Tensor) -> Tensor:
        found, momentum = clean, torch.zeros_like(clean)
        for _ in range(steps):
            ahead = (found + step * decay * momentum).requires_grad_()
            loss = cross_entropy(source(ahead), targets, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, ahead)
            length = gradient.abs().mean((1, 2, 3), keepdim=True).clamp(min=torch.finfo(gradient.dtype).tiny)
            momentum = decay * momentum + gradient / length
            found = (found + step * momentum.sign()).clamp(clean - epsilon, clean + epsilon).clamp(0, 1)
        return found

    return keep_what_fools(
        craft, model, images, labels, epsilon=epsilon, surrogate=surrogate, seed=0, batch_size=batch_size
    )
