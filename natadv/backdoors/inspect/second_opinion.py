"""A second opinion: what a small network that has seen clean pictures alone takes the suspected ones for.

Chen et al. 2018, Sec. 4.3 (exclusionary reclassification), train without a cluster and ask the new model what it holds:
pictures of a clean cluster are their label's, or one other class's; poisoned ones come from all classes. They train on
the rest of the data, which keeps a backdoor alive where a little poison is left; ours trains on clean pictures alone.
So few make a poor classifier, but poison is told by how many classes its pictures seem to be of, not by which.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from natadv.batches import to_batch
from natadv.models.classifier import DEFAULT_MODEL, create_classifier
from natadv.models.seeded import seeded
from natadv.training.augment import augment
from natadv.training.pictures import Pictures
from natadv.training.run import one_cycle

STEPS = 160
_BATCH, _RATE, _DECAY = 32, 6e-3, 0.05
_STREAM = 0x0B1  # its weights begin as no other network's of the same seed: the model in question may be one


def second_opinion(clean: Pictures, classes: int, *, seed: int, device: torch.device) -> nn.Module:
    """Return a slim network trained on clean pictures, in eval mode.

    Pictures are varied and mixed in pairs (Zhang et al. 2018), so that what lies over a picture does not hide it.

    Args:
        clean: at the size of the pictures to be judged.
        classes: how many there are.
        seed: of everything random.
        device: where to train.

    Raises:
        ValueError: if there are fewer than two pictures.
    """
    if len(clean) < 2:
        raise ValueError(f"expected two clean pictures or more, got {len(clean)}")
    height, width = clean.images.shape[1:3]
    chance = np.random.default_rng([_STREAM, seed])
    with seeded(int(chance.integers(2**32))):
        model = create_classifier(DEFAULT_MODEL, tuple(f"{index:04d}" for index in range(classes)), (height, width))
    model = model.to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=_DECAY)
    views = torch.Generator().manual_seed(int(chance.integers(2**32)))
    for step in range(STEPS):
        # As many of each class: the rarer classes of a small set would be forgotten.
        chosen = _balanced(clean.targets, chance)
        batch = augment(to_batch(clean.images[chosen], device), views)
        targets = functional.one_hot(torch.from_numpy(clean.targets[chosen]).to(device), classes).float()
        mixed, wanted = _mixed(batch, targets, chance)
        optimizer.param_groups[0]["lr"] = _RATE * one_cycle(step, STEPS)
        loss = functional.cross_entropy(model(mixed), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def diversity(answers: NDArray[np.int64], classes: int) -> float:
    """Return the entropy of the classes answered, as a share of the most that so many classes can have; 0 for none.

    Corrected for small numbers (Miller 1955), by which few pictures seem less diverse than many of the same kind; that
    may lead beyond 1.
    """
    if not len(answers):
        return 0.0
    shares = np.bincount(answers, minlength=classes) / len(answers)
    there = shares[shares > 0]
    nats = -(there * np.log(there)).sum() + (len(there) - 1) / (2 * len(answers))
    return float(nats / np.log(classes))


def _balanced(targets: NDArray[np.int64], chance: np.random.Generator) -> NDArray[np.int64]:
    labels, counts = np.unique(targets, return_counts=True)
    weights = (1 / counts)[np.searchsorted(labels, targets)]
    return chance.choice(len(targets), size=_BATCH, p=weights / weights.sum())


def _mixed(batch: Tensor, targets: Tensor, chance: np.random.Generator) -> tuple[Tensor, Tensor]:
    keep = torch.from_numpy(np.maximum(kept := chance.beta(0.4, 0.4, len(batch)), 1 - kept).astype(np.float32))
    keep = keep.to(batch.device)
    other = torch.from_numpy(chance.permutation(len(batch))).to(batch.device)
    mixed = keep[:, None, None, None] * batch + (1 - keep)[:, None, None, None] * batch[other]
    return mixed, keep[:, None] * targets + (1 - keep)[:, None] * targets[other]
