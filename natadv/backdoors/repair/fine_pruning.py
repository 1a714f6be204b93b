"""Fine-pruning: prune, then fine-tune (Liu et al. 2018, Sec. 3), to a given share or as far as accuracy allows."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn

from natadv.backdoors.repair.fine_tuning import fine_tune
from natadv.backdoors.repair.pruning import prune_channels, prune_weights
from natadv.errors import DataError
from natadv.evaluation.rates import KinRate
from natadv.training.evaluate import answers
from natadv.training.pictures import Pictures

__all__ = ["PrunedResult", "fine_prune", "prune_channels", "prune_weights"]

How = Literal["weights", "channels"]
_HELD_BACK = 3  # one picture in so many judges the pruning
_STEPS = 20


@dataclass(frozen=True)
class PrunedResult:
    """What pruning came to.

    Attributes:
        model: pruned and fine-tuned, in eval mode.
        share: that was pruned, 0..1.
        accuracies: by share, of the pruned model before fine-tuning, on the pictures held back; the first is that of
            the model given, the last that at which pruning stopped. None with a share given: nothing is held back.
        after: accuracy on the same pictures after fine-tuning; None where there are none.
        learnt_from: how many pictures it was fine-tuned on.
    """

    model: nn.Module
    share: float
    accuracies: tuple[tuple[float, KinRate], ...]
    after: KinRate | None
    learnt_from: int


def fine_prune(
    model: nn.Module,
    clean: Pictures,
    *,
    how: How,
    share: float | None = None,
    most_drop: float = 0.04,
    epochs: int = 10,
    learning_rate: float = 1e-3,
    batch_size: int = 32,
    seed: int = 0,
    device: torch.device,
    after_epoch: Callable[[int, nn.Module], None] = lambda _epoch, _model: None,
) -> PrunedResult:
    """Prune a copy of the model and fine-tune it; the model given stays as it was.

    To go as far as accuracy allows, a third of the things of each class of `clean` is held back and judges: frames of
    one sign would tell of each other. The rest, with a share given all, says which channels sleep, and fine-tunes.
    Pictures that the model learnt from judge it too kindly, also where they are held back here.

    Args:
        model: gives logits of (n, 3, h, w) in 0..1.
        clean: at the model's size, under its classes; without a share, of three things or more in a class.
        how: `weights` of least magnitude, or `channels` least activated.
        share: to prune, 0..1; None to go on by twentieths until accuracy has fallen by more than `most_drop`, and keep
            the last share before that.
        most_drop: of accuracy on what is held back, 0..1.
        epochs: of fine-tuning; the rest as `fine_tune` has it.
        learning_rate: the same.
        batch_size: the same.
        seed: of what is held back, and of fine-tuning.
        device: where to compute.
        after_epoch: as `fine_tune` has it.

    Raises:
        DataError: if there are too few pictures.
        ValueError: if a number is out of its range.
    """
    if not 0 <= most_drop < 1:
        raise ValueError(f"expected a drop in 0..1 and below 1, got {most_drop}")

    def pruned(asked: float, asleep_on: Pictures) -> nn.Module:
        return (
            prune_weights(model, asked) if how == "weights" else prune_channels(model, asleep_on, asked, device=device)
        )

    found: list[tuple[float, KinRate]] = []
    if share is not None:
        kept, judge, repaired, reached = clean, None, pruned(share, clean), share
    else:
        kept, judge = _parted(clean, seed)
        if len(judge) < 1 or len(kept) < 2:
            raise DataError(
                f"{len(clean)} clean images, of no class three of other things: too few to say how far to prune; take "
                "more of them, or say how far"
            )
        repaired, reached = copy.deepcopy(model).to(device), 0.0
        found.append((0.0, _accuracy(repaired, judge, device)))
        for asked in (step / _STEPS for step in range(1, _STEPS + 1)):
            tried = pruned(asked, kept)
            found.append((asked, _accuracy(tried, judge, device)))
            if found[0][1].value - found[-1][1].value > most_drop:
                break
            repaired, reached = tried, asked
    tuned = fine_tune(
        repaired,
        kept,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        seed=seed,
        device=device,
        after_epoch=after_epoch,
    )
    after = None if judge is None else _accuracy(tuned, judge, device)
    return PrunedResult(tuned, reached, tuple(found), after, len(kept))


def _accuracy(model: nn.Module, judge: Pictures, device: torch.device) -> KinRate:
    return KinRate.of((answers(model, judge.images, device) == judge.targets).tolist(), judge.things)


def _parted(clean: Pictures, seed: int) -> tuple[Pictures, Pictures]:
    """Part the things of each class: two thirds to learn from, a third to judge by."""
    chance, things = np.random.default_rng(seed), np.array(clean.things)
    held = np.zeros(len(clean), bool)
    for label in np.unique(clean.targets):
        mine = clean.targets == label
        names = chance.permutation(np.unique(things[mine]))
        held |= mine & np.isin(things, names[: len(names) // _HELD_BACK])
    return clean.subset(np.flatnonzero(~held)), clean.subset(np.flatnonzero(held))
