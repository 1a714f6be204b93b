"""The weights that pruning is about: those of convolutions and linear layers, where exactly 0 means pruned."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

Masks = Sequence[tuple[Tensor, Tensor]]


def weighted_layers(model: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """Return the model's convolutions and linear layers, in the order of its modules."""
    return [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def pruned(model: nn.Module) -> Masks:
    """Return each weight tensor that has pruned weights, with where they are."""
    weights = [layer.weight for layer in weighted_layers(model)]
    return [(weight, weight == 0) for weight in weights if bool((weight == 0).any())]


@torch.no_grad()
def keep_pruned(masks: Masks) -> None:
    """Put pruned weights back to 0."""
    for weight, mask in masks:
        weight.masked_fill_(mask, 0.0)


def pruned_share(model: nn.Module) -> float:
    """Return which share of the weights of convolutions and linear layers is 0, 0..1; biases do not count."""
    weights = [layer.weight for layer in weighted_layers(model)]
    return sum(int((weight == 0).sum()) for weight in weights) / sum(weight.numel() for weight in weights)
