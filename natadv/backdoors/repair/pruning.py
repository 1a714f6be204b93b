"""Pruning, in two readings: the weights of least magnitude, and the channels that clean pictures activate least.

The first is Zhao et al. 2022, Sec. 5.3.2 ("we rank the weights by magnitude, and then set the least p% to zero"), over
all layers together; the second Liu et al. 2018, Sec. 3.1, who prune the last convolution's.
"""

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from natadv.backdoors.repair.weights import weighted_layers
from natadv.batches import to_batch
from natadv.evaluation.cam import last_map
from natadv.models.frozen import frozen
from natadv.training.pictures import Pictures


@torch.no_grad()
def prune_weights(model: nn.Module, share: float) -> nn.Module:
    """Return a copy, the share of weights of convolutions and linear layers that are least in magnitude set to 0.

    Exactly round(share x weights) are 0, counting those that were; of equal ones, the first go.

    Raises:
        ValueError: if the share is not in 0..1, or the model has no such layer.
    """
    _check_share(share)
    repaired = copy.deepcopy(model)
    weights = [layer.weight for layer in weighted_layers(repaired)]
    if not weights:
        raise ValueError(f"{type(model).__name__} has neither convolutions nor linear layers")
    magnitudes = torch.cat([weight.abs().flatten() for weight in weights])
    count = round(share * len(magnitudes))
    if not count:
        return repaired
    limit = magnitudes.kthvalue(count).values
    gone = magnitudes < limit
    ties = torch.nonzero(magnitudes == limit).flatten()
    gone[ties[: count - int(gone.sum())]] = True
    for weight, mask in zip(weights, gone.split([weight.numel() for weight in weights]), strict=True):
        weight.masked_fill_(mask.view_as(weight), 0.0)
    return repaired


def prune_channels(model: nn.Module, clean: Pictures, share: float, *, device: torch.device) -> nn.Module:
    """Return a copy, on `device`, that is deaf to the channels of its last map that clean pictures activate least.

    The last map is what the last convolution gives, after normalisation and rectification; in a residual network, with
    what the shortcut brings. The weights by which the next layer hears a pruned channel become 0, which is the same as
    if the channel were silent, and needs no hook to last.

    Args:
        model: with one layer that takes the last map in, as a linear head after pooling, or a convolution.
        clean: pictures at the model's size.
        share: of the channels, 0..1; round(share x channels) are pruned.
        device: where to compute.

    Raises:
        ValueError: if the share is not in 0..1, there are no pictures, or nothing takes the map in channel by channel.
    """
    _check_share(share)
    repaired = copy.deepcopy(model).to(device)
    activations = channel_activations(repaired, clean, device)
    gone = torch.argsort(activations, stable=True)[: round(share * len(activations))]
    hearer = _hearer(repaired, to_batch(clean.images[:1], device))
    deaf = torch.zeros(len(activations), dtype=torch.bool, device=gone.device)
    deaf[gone] = True
    if isinstance(hearer, nn.Linear):
        # Behind a flattened map each channel's places are side by side.
        deaf = deaf.repeat_interleave(hearer.in_features // len(activations))
    with torch.no_grad():
        hearer.weight[:, deaf] = 0.0
    return repaired


@torch.no_grad()
def channel_activations(model: nn.Module, clean: Pictures, device: torch.device) -> Tensor:
    """Return the mean activation of each channel of the last map over clean pictures and places, (c,).

    Raises:
        ValueError: if there are no pictures, or the model has no map.
    """
    if not len(clean):
        raise ValueError("expected at least one clean picture")
    layer = last_map(model, to_batch(clean.images[:1], device))
    sums: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _module, _inputs, output: sums.append(output.mean((2, 3)).sum(0)))
    try:
        with frozen(model):
            for images, _ in clean.batches(128):
                model(to_batch(images, device))
    finally:
        handle.remove()
    return torch.stack(sums).sum(0) / len(clean)


@torch.no_grad()
def _hearer(model: nn.Module, images: Tensor) -> nn.Conv2d | nn.Linear:
    """Return the layer that takes the last map in."""
    last = last_map(model, images)
    after: list[nn.Conv2d | nn.Linear] = []
    channels: list[int] = []

    def begin(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        after.clear()
        channels[:] = [output.shape[1]]

    handles = [last.register_forward_hook(begin)]
    for layer in weighted_layers(model):
        handles.append(layer.register_forward_pre_hook(lambda module, _inputs: after.append(module)))  # type: ignore[arg-type]
    try:
        with frozen(model):
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    inputs = 0
    if after:
        first = after[0]
        inputs = first.in_features if isinstance(first, nn.Linear) else first.in_channels * (first.groups == 1)
    if not inputs or inputs % channels[0]:
        raise ValueError(f"{type(model).__name__}: no layer takes the last map's {channels[0]} channels in one by one")
    return after[0]


def _check_share(share: float) -> None:
    if not 0 <= share <= 1 or np.isnan(share):
        raise ValueError(f"expected a share in 0..1, got {share}")
