"""Frozen: a model lent to an attack or a map comes back as it was.

Foreign code calls `backward()`, which fills the weights' gradients, and `eval()`, which nobody undoes. With weights
that require gradients, autograd also keeps and computes what nobody asks for: about twice the time a step.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def frozen(model: Callable[..., Any]) -> Iterator[None]:
    """Keep `model` in eval mode, its weights without gradients, until the block ends.

    Then each of its modules has its mode again and each weight its `requires_grad` and its gradient. What is no
    `nn.Module` is left alone.
    """
    if not isinstance(model, nn.Module):
        yield
        return
    modes = [(module, module.training) for module in model.modules()]
    weights = [(weight, weight.requires_grad, weight.grad) for weight in model.parameters()]
    try:
        model.eval()
        for weight, _, _ in weights:
            weight.requires_grad_(False)
            weight.grad = None
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for weight, wanted, gradient in weights:
            weight.requires_grad_(wanted)
            weight.grad = gradient
