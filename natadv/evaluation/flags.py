"""Flags: when a robustness result may mislead, it says so itself (after Croce and Hein 2020, AutoAttack's checks)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from natadv.attacks.stand_in import StraightThrough
from natadv.attacks.suite import Setting
from natadv.defenses.defended import Defended
from natadv.evaluation.kin_rates import robust_rate
from natadv.evaluation.rates import Rate
from natadv.evaluation.robustness import Measured
from natadv.models.frozen import frozen

_LOOKED_AT = 64
"""Images whose gradients are looked at."""
VANISHED = 0.1
"""Share of images with no gradient at all from which on gradient attacks are not to be trusted."""


def vanishing_flag(model: nn.Module, images: Tensor, labels: Tensor, *, seed: int) -> str | None:
    """Return a flag where the loss of a model has no gradient at too many of some images, drawn by seed, else None.

    A defence that cannot be differentiated is gone round, as the attacks go.
    """
    some = torch.randperm(len(labels), generator=Generator().manual_seed(seed))[:_LOOKED_AT]
    source = StraightThrough(model) if isinstance(model, Defended) and not model.differentiable else model
    return gradient_flag(source, images[some], labels[some])


def gradient_flag(model: nn.Module, images: Tensor, labels: Tensor, *, batch_size: int = 32) -> str | None:
    """Return a flag where the loss has no gradient at too many images, else None.

    Args:
        model: as an attack differentiates it, in eval mode.
        images: clean, (n, 3, h, w), RGB in [0, 1].
        labels: true classes, (n,).
        batch_size: images at once.
    """
    dead = 0
    with frozen(model), torch.enable_grad():
        for some, true in zip(images.split(batch_size), labels.split(batch_size), strict=True):
            batch = some.detach().clone().requires_grad_()
            loss = nn.functional.cross_entropy(model(batch), true, reduction="sum")
            gradient = torch.autograd.grad(loss, batch, allow_unused=True)[0] if loss.requires_grad else None
            if gradient is None:
                dead += len(some)
            else:
                dead += int((~gradient.flatten(1).abs().sum(1).gt(0)).sum())
    if dead <= VANISHED * len(images):
        return None
    return f"the gradient vanishes at {dead} of {len(images)} images: gradient attacks say nothing there"


@dataclass(frozen=True, slots=True)
class Result:
    """What is left of a model under an attack.

    Attributes:
        setting: the attack.
        robust: what the model still gets right, of all; several repeats together.
        right: how often what each thing that images are of was still right in, in some order that all results share;
            None where only the sum is known.
        repeats: runs of the attack that `right` sums up.
    """

    setting: Setting
    robust: Rate
    right: tuple[int, ...] | None = None
    repeats: int = 1


def result_of(measured: Measured, kin: Sequence[str]) -> Result:
    """Return what is left, by what the images are of: frames of one sign fall together, and would be many for one.

    Args:
        measured: what an attack did.
        kin: what each image is of, (n,).
    """
    right = dict.fromkeys(kin, 0)
    for record, name in zip(measured.records, [*kin] * measured.repeats, strict=True):
        right[name] += not record.fooled
    return Result(measured.setting, robust_rate(measured, kin), tuple(right.values()), measured.repeats)


def result_flags(results: Sequence[Result], *, randomised: bool, repeats: int) -> list[str]:
    """Return what may mislead in the results of one model.

    Args:
        results: of all attacks, on the same images.
        randomised: whether two passes of the model differ.
        repeats: how many times each attack was run, with other chance.
    """
    flags = []
    by_name = {result.setting.name: result for result in results}
    if randomised and repeats == 1:
        flags.append("single noise draw: each attacked image was judged by one pass of a randomised model")
    if randomised and results and not _adaptive(results):
        flags.append("no adaptive attack: one pass of a randomised model says little of the next")
    for name, result in by_name.items():
        plain = result.setting.adapts
        # Without chance nothing is averaged: RAIN's own adaptive attacks merely take fewer steps than the plain ones.
        if randomised and plain in by_name and _beats(by_name[plain], result):
            flags.append(f"{plain} beats {name}: the adaptive attack is too weak, or averages too little")
    flags += _boxes(results)
    flags += _boundaries(results) + _slopes(results) if randomised else _ends(results)
    return flags


def _adaptive(results: Sequence[Result]) -> bool:
    """Tell whether an attack averages passes, one by gradients where there are such attacks."""
    by_gradients = [result for result in results if result.setting.uses == "gradients"]
    return any(result.setting.samples > 1 for result in by_gradients or results)


def _boxes(results: Sequence[Result]) -> list[str]:
    """Compare the best black box with the best white box of the same budget."""
    flags = []
    for epsilon in sorted({result.setting.epsilon for result in results if result.setting.epsilon is not None}):
        same = [result for result in results if result.setting.epsilon == epsilon]
        white = [result for result in same if result.setting.uses == "gradients"]
        black = [result for result in same if result.setting.uses != "gradients"]
        if not white or not black:
            continue
        best_white, best_black = (min(some, key=lambda one: one.robust.value) for some in (white, black))
        if _beats(best_black, best_white):
            flags.append(
                f"black box beats white box: {best_black.setting.name} leaves less than {best_white.setting.name} "
                f"at {255 * epsilon:g}/255, so gradients are masked or {best_white.setting.name} is too weak"
            )
    return flags


def _boundaries(results: Sequence[Result]) -> list[str]:
    """Find attacks that stop where they just fool, and leave more than one that uses its whole budget."""
    whole = [
        one
        for one in results
        if one.setting.uses == "gradients" and one.setting.epsilon is not None and not one.setting.stops
    ]
    if not whole:
        return []
    best = min(whole, key=lambda one: one.robust.value)
    early = [one.setting.name for one in results if one.setting.stops and _beats(best, one)]
    if not early:
        return []
    stop, they = ("stops", "it") if len(early) == 1 else ("stop", "they")
    return [
        f"{', '.join(early)} {stop} where {they} just fool{'s' if len(early) == 1 else ''}, and {best.setting.name} at "
        f"{255 * (best.setting.epsilon or 0):g}/255 leaves less: on the boundary the next pass is as likely right"
    ]


def _ends(results: Sequence[Result]) -> list[str]:
    """Find attacks without any bound that leave more than another one without: what they leave, their steps do."""
    free = [
        one
        for one in results
        if one.setting.uses == "gradients" and one.setting.all_options().get("epsilon", None) is None
    ]
    best = min(free, key=lambda one: one.robust.value, default=None)
    return [
        f"{one.setting.name} has no bound and leaves more than {best.setting.name}, which has none either: "
        "what it leaves are steps that it lacks"
        for one in free
        if best is not None and _beats(best, one)
    ]


def _slopes(results: Sequence[Result]) -> list[str]:
    """Name attacks that read slopes from scores, each a difference between two passes with noise of their own."""
    names = [one.setting.name for one in results if one.setting.uses == "scores"]
    if not names:
        return []
    return [f"{', '.join(names)}: slopes are differences between passes, which chance makes as well: they say little"]


def _beats(one: Result, other: Result) -> bool:
    """Tell whether `one` leaves clearly less robust accuracy than `other`, at 95 %.

    By the things where the two differ, which are as likely one way as the other if both are as strong (McNemar's exact
    test); where only sums are known, as if the images were others, by both intervals, which sees less.
    """
    if one.right is not None and other.right is not None and len(one.right) == len(other.right):
        # Shares of the repeats: an attack without chance is run once where another is run three times.
        mine, theirs = [other.repeats * count for count in one.right], [one.repeats * count for count in other.right]
        less = sum(left < kept for left, kept in zip(mine, theirs, strict=True))
        more = sum(left > kept for left, kept in zip(mine, theirs, strict=True))
        differ = less + more
        tail = sum(math.comb(differ, k) for k in range(less, differ + 1))
        return less > more and 40 * tail <= 2**differ
    if not one.robust.total or not other.robust.total:
        return False
    # Half an interval is 1.96 standard errors; of a difference, the root of the sum of both halves' squares.
    halves = [(high - low) / 2 for low, high in (one.robust.interval, other.robust.interval)]
    return other.robust.value - one.robust.value > math.hypot(*halves)
