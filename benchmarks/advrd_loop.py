"""Algorithm 1 of AdvRD as printed: one image, one restart, one step at a time. What the batched attack is held to.

Success is judged as natadv does, by the 8-bit form where the float form errs.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from natadv.attacks.success import MARGIN, Model, lead, rounded
from natadv.models.generator import Generator


def advrd_loop(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    generator: Generator,
    starts: Tensor,
    steps: int = 10,
    step_size: float = 0.05,
) -> Tensor:
    """Return which images are fooled, bool (n,); arguments as of `natadv.attacks.advrd.advrd`."""
    fooled = [
        _fool_one(model, image[None], label[None], generator, codes, steps, step_size)
        for image, label, codes in zip(images, labels, starts, strict=True)
    ]
    return torch.tensor(fooled)


def _fool_one(
    model: Model, image: Tensor, label: Tensor, generator: Generator, codes: Tensor, steps: int, step_size: float
) -> bool:
    for start in codes:
        z = start[None]
        for _ in range(steps):
            z = z.detach().requires_grad_()
            wet = generator(image, z).clamp(0, 1)
            logits = model(wet)
            if lead(logits, label) > 0 and lead(model(rounded(wet)), label) > MARGIN:
                return True
            (gradient,) = torch.autograd.grad(cross_entropy(logits, label), z)
            z = z + step_size * gradient.sign()
    return False
