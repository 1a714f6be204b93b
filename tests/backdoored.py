"""A small model with a real backdoor: drawn signs, a tenth of them with a patch in the corner."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from natadv.backdoors.inspect.calibration.suspects import Training, train_small
from natadv.backdoors.patterns import BadNets
from natadv.backdoors.planted import subset_of_classes
from natadv.backdoors.poison import Poisoning, poison
from natadv.data.load import load_dataset
from natadv.training.pictures import Pictures, read_pictures

CLASSES = 6


@dataclass(frozen=True)
class Backdoored:
    """The model, what it was trained on, and the truth."""

    model: nn.Module
    data: Pictures
    clean: Pictures
    test: Pictures
    poisoning: Poisoning
    poisoned: NDArray[np.int64]


def train_backdoored() -> Backdoored:
    """Train it."""
    parts = {}
    for split in ("train", "test"):
        dataset = load_dataset("signs", split)
        parts[split] = read_pictures(subset_of_classes(dataset, dataset.labels[:CLASSES]), (32, 32))
    poisoning = Poisoning(BadNets(share=0.15), target=2, share=0.1)
    test = parts["test"]
    # Half of the test pictures are what an owner has clean.
    order = np.random.default_rng(0).permutation(len(test))
    clean, held = (Pictures(test.images[some], test.targets[some]) for some in np.array_split(order, 2))
    data, poisoned = poison(parts["train"], poisoning)
    model = train_small(data, CLASSES, Training(epochs=6), seed=0, device=torch.device("cpu"))
    return Backdoored(model, data, clean, held, poisoning, poisoned)
