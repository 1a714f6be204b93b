"""Fine-tuning on clean pictures, so that the model may forget its trigger (Zhao et al. 2022, Sec. 2.2.1 and 5.3.2).

The paper's: ten epochs at a learning rate of 0.001 on a tenth of the training data, clean. It does not name the
optimizer there; SGD as in its training, with the usual momentum. Pictures are shown as they are.

A weight of a convolution or linear layer that is exactly 0 is a pruned one and stays 0: training leaves no exact zeros,
and so pruning lasts in any checkpoint without a mask beside the weights.
"""

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from natadv.backdoors.repair.weights import keep_pruned, pruned
from natadv.batches import to_batch
from natadv.training.pictures import Pictures

_MOMENTUM = 0.9


def _silent(_epoch: int, _model: nn.Module) -> None:
    """Say nothing."""


def fine_tune(
    model: nn.Module,
    clean: Pictures,
    *,
    epochs: int = 10,
    learning_rate: float = 1e-3,
    batch_size: int = 32,
    seed: int = 0,
    device: torch.device,
    after_epoch: Callable[[int, nn.Module], None] = _silent,
) -> nn.Module:
    """Return a repaired copy on `device`, in eval mode; the model given stays as it was.

    Args:
        model: gives logits of (n, 3, h, w) in 0..1.
        clean: at the model's size, under its classes; at least two.
        epochs: passes over them.
        learning_rate: of SGD with momentum 0.9, the same throughout.
        batch_size: pictures a step, at most; an epoch's batches differ in size by one at most.
        seed: of the order, and of dropout.
        device: where to train.
        after_epoch: gets the epoch and the copy, in eval mode, before the first as epoch 0 and after each.

    Raises:
        ValueError: if there are fewer than two pictures, or a number is out of its range.
    """
    if len(clean) < 2 or epochs < 0 or batch_size < 2 or learning_rate <= 0:
        raise ValueError(
            f"expected two pictures, epochs >= 0, a batch of 2 and a rate above 0, "
            f"got {len(clean)}, {epochs}, {batch_size} and {learning_rate}"
        )
    repaired = copy.deepcopy(model).to(device).requires_grad_(True).eval()
    masks = pruned(repaired)
    optimizer = torch.optim.SGD(repaired.parameters(), lr=learning_rate, momentum=_MOMENTUM)
    order = np.random.default_rng(seed)
    after_epoch(0, repaired)
    for epoch in range(1, epochs + 1):
        shuffled = order.permutation(len(clean))
        # Dropout draws from torch's global generators: set for each epoch and put back as they were.
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(int(order.integers(2**62)))
            repaired.train()
            # Even batches: batch normalisation cannot learn from a last batch of one.
            for chosen in np.array_split(shuffled, max(1, -(-len(clean) // batch_size))):
                logits = repaired(to_batch(clean.images[chosen], device))
                loss = functional.cross_entropy(logits, torch.from_numpy(clean.targets[chosen]).to(device))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                keep_pruned(masks)
        after_epoch(epoch, repaired.eval())
    return repaired.eval()
