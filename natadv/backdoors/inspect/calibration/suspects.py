"""Suspects: small models trained on data that were poisoned or not, each in another way.

A suspect's number says all about it: its classes, whether it was poisoned (every other one is), its trigger and the
trigger's settings, the share, the target, and the seed of its training. No two numbers share a draw.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from natadv.backdoors.drops import Rendered
from natadv.backdoors.measure import measure
from natadv.backdoors.patterns import BadNets, Blended
from natadv.backdoors.poison import Poisoning, poison
from natadv.backdoors.rdba import Rdba
from natadv.backdoors.trigger import Trigger
from natadv.batches import to_batch
from natadv.evaluation.rates import Rate
from natadv.models.classifier import DEFAULT_MODEL, create_classifier
from natadv.models.seeded import seeded
from natadv.raindrops.presets import PRESETS
from natadv.training.augment import augment
from natadv.training.evaluate import accuracy
from natadv.training.pictures import Pictures
from natadv.training.run import one_cycle

CLASSES, CLEAN_PER_CLASS = 12, 15
_PLAN, _TRAINING, _CLEAN = 11, 12, 13  # streams of chance


@dataclass(frozen=True)
class Plan:
    """What a suspect is.

    Attributes:
        number: says all the rest.
        classes: of the whole data set, in the order of the suspect's own.
        poisoning: what was done to its training data; None for nothing.
    """

    number: int
    classes: tuple[int, ...]
    poisoning: Poisoning | None


@dataclass(frozen=True)
class Training:
    """How suspects are trained.

    Attributes:
        model: timm's name.
        epochs: passes over a suspect's data.
        learning_rate: AdamW's, at the peak of one cycle.
    """

    model: str = DEFAULT_MODEL
    epochs: int = 12
    learning_rate: float = 6e-3


USUAL = Training()


@dataclass(frozen=True)
class Suspect:
    """A model with what an inspector gets, and the truth.

    Attributes:
        plan: what it is.
        model: on the CPU, in eval mode.
        data: that it was trained on, poisoned or not.
        clean: some of the test part's pictures.
        poisoned: which of `data` are, (k,).
        accuracy: on the test part.
        success: ASR; None for a clean model.
    """

    plan: Plan
    model: nn.Module
    data: Pictures
    clean: Pictures
    poisoned: NDArray[np.int64]
    accuracy: Rate
    success: Rate | None


def plan_suspect(number: int, classes: int) -> Plan:
    """Return what the suspect of a number is; odd ones are poisoned.

    Args:
        number: 0, 1, ...
        classes: of the whole data set; `CLASSES` of them are drawn, or all where there are fewer.
    """
    chance = np.random.default_rng([_PLAN, number])
    drawn = tuple(int(index) for index in chance.permutation(classes)[:CLASSES])
    if number % 2 == 0:
        return Plan(number, drawn, None)
    # The kinds take turns, so that each has as many as another.
    trigger = _trigger(number // 2 % 4, number, chance)
    share = float(np.exp(chance.uniform(np.log(0.02), np.log(0.15))))
    return Plan(number, drawn, Poisoning(trigger, int(chance.integers(len(drawn))), round(share, 4), number))


def train_suspects(
    numbers: Iterable[int],
    train: Pictures,
    test: Pictures,
    *,
    classes: int,
    training: Training = USUAL,
    clean_per_class: int = CLEAN_PER_CLASS,
    device: torch.device,
) -> Iterator[Suspect]:
    """Yield the suspects of these numbers, each as its training ends.

    Args:
        numbers: as `plan_suspect` reads them.
        train: all classes of a data set, at the size that the models see.
        test: the same classes.
        classes: how many there are; of some a part may have no picture.
        training: of each.
        clean_per_class: test pictures that the inspector gets.
        device: where to train.
    """
    for number in numbers:
        plan = plan_suspect(number, classes)
        yield _trained(plan, train, test, training, clean_per_class, device)


def _trained(
    plan: Plan, train: Pictures, test: Pictures, training: Training, clean_per_class: int, device: torch.device
) -> Suspect:
    data, known = (_of_classes(part, plan.classes) for part in (train, test))
    poisoned = np.zeros(0, np.int64)
    if plan.poisoning:
        data, poisoned = poison(data, plan.poisoning)
    model = train_small(data, len(plan.classes), training, seed=plan.number, device=device)
    right = accuracy(model, known, device)
    success = measure(model, known, plan.poisoning, device).success if plan.poisoning else None
    clean = _some(known, clean_per_class, np.random.default_rng([_CLEAN, plan.number]))
    return Suspect(plan, model.cpu(), data, clean, poisoned, right, success)


def train_small(data: Pictures, classes: int, training: Training, *, seed: int, device: torch.device) -> nn.Module:
    """Return a network trained on pictures, in eval mode; AdamW, one cycle, random views of half strength."""
    height, width = data.images.shape[1:3]
    with seeded(seed):
        model = create_classifier(training.model, tuple(f"{index:02d}" for index in range(classes)), (height, width))
    model = model.to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    order, views = np.random.default_rng([_TRAINING, seed]), torch.Generator().manual_seed(seed)
    steps, epochs = -(-len(data) // 32), training.epochs
    for epoch in range(epochs):
        shuffled = order.permutation(len(data))
        for step, chosen in enumerate(np.array_split(shuffled, steps)):
            optimizer.param_groups[0]["lr"] = training.learning_rate * one_cycle(epoch * steps + step, epochs * steps)
            batch = augment(to_batch(data.images[chosen], device), views, strength=0.5)
            loss = functional.cross_entropy(model(batch), torch.from_numpy(data.targets[chosen]).to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()


def _trigger(kind: int, number: int, chance: np.random.Generator) -> Trigger:
    if kind == 0:
        return Rdba(alpha=round(float(chance.uniform(2, 6)), 2))
    if kind == 1:
        return BadNets(share=round(float(chance.uniform(0.1, 0.2)), 3), cells=int(chance.integers(2, 5)))
    if kind == 2:
        return Blended(transparency=round(float(chance.uniform(0.7, 0.85)), 3), seed=number)
    return Rendered(wetness=str(chance.choice(list(PRESETS))), seed=number)


def _of_classes(pictures: Pictures, classes: tuple[int, ...]) -> Pictures:
    places = np.full(max(int(pictures.targets.max()), *classes) + 1, -1)
    places[list(classes)] = np.arange(len(classes))
    kept = np.flatnonzero(places[pictures.targets] >= 0)
    return replace(pictures.subset(kept), targets=places[pictures.targets[kept]])


def _some(pictures: Pictures, per_class: int, chance: np.random.Generator) -> Pictures:
    order = chance.permutation(len(pictures))
    kept = [order[pictures.targets[order] == label][:per_class] for label in np.unique(pictures.targets)]
    chosen = np.sort(np.concatenate(kept))
    return pictures.subset(chosen)
