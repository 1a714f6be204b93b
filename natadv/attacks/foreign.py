"""Foreign attacks, judged by our rules: eight bits, the budget kept, failures counted as failures.

The libraries draw from torch's global generator, fill the gradients of unfrozen weights, return floats that no file
can hold, and look at no result again. Here all of that ends, once for every attack.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from natadv.attacks.counted import Counted
from natadv.attacks.outcome import Outcome
from natadv.attacks.stand_in import stands_for
from natadv.attacks.success import MARGIN, Model, lead, rounded
from natadv.models.frozen import frozen

Craft = Callable[[Counted, Tensor, Tensor], Tensor]
"""Maps a model, images and their classes, the true ones or the targets, to images that are to fool it."""

Fools = Callable[[Model, Tensor, Tensor], Tensor]
"""Tells which images, (n, 3, h, w), fool a model, given their classes as a craft is: bool, (n,)."""

BUDGET = 16 / 255
"""The l_inf budget of the AdvRD paper's comparison, Sec. 4.3."""

_HALF_LEVEL = 0.5 / 255


def keep_what_fools(
    craft: Craft,
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float | None,
    surrogate: Model | None = None,
    seed: int = 0,
    batch_size: int,
    targets: Tensor | None = None,
    fools: Fools | None = None,
) -> Outcome:
    """Attack the images that `model` gets right and keep those crafted ones that fool it in eight bits.

    An image whose crafting breaks down, as it does where a gradient is zero throughout, counts as not fooled.
    A targeted attack fools where the model says the target; images of which it says so already are left alone.
    Of a randomised model nobody can tell which images it gets right: all are attacked, and one pass afterwards judges.

    Args:
        craft: the attack; it draws from torch's global generator, which is lent to it.
        model: what is to be fooled, with logits, in eval mode; nothing of it is changed.
        images: clean images, (n, 3, h, w), RGB in [0, 1]; those it gets wrong already come back as they are.
        labels: true classes, (n,).
        epsilon: l_inf budget, kept to within the half level that rounding may add; None for an attack that looks
            for a small change and has no bound.
        surrogate: the model to craft on, with the same classes: another one, for an attack by transfer, whose passes
            nobody counts; or a stand-in for `model`, for an adaptive attack. None for `model` itself.
        seed: of all chance in the attack.
        batch_size: images at once.
        targets: the class to reach, (n,), of a targeted attack; `craft` is given these instead of the labels.
        fools: what counts, where it is neither an error nor, with `targets`, the target.

    Raises:
        ValueError: if the budget is not in (0, 1] or the batch size not positive, images are not in [0, 1] or do not go
            with the labels, or a model is in training mode.
        RuntimeError: if the attack leaves its budget or [0, 1].
    """
    if (epsilon is not None and not 0 < epsilon <= 1) or batch_size < 1:
        raise ValueError(
            f"expected a positive budget and batch size, a budget of 1 at most, got {epsilon}, {batch_size}"
        )
    aims = labels if targets is None else targets
    if images.ndim != 4 or labels.shape != images.shape[:1] or aims.shape != labels.shape:
        raise ValueError(f"expected (n, 3, h, w) and (n,), got {tuple(images.shape)} and {tuple(labels.shape)}")
    if not ((images >= 0) & (images <= 1)).all():
        raise ValueError(f"expected images in [0, 1], got values from {images.min():g} to {images.max():g}")
    if fools is None:
        fools = _errs if targets is None else _obeys
    source = model if surrogate is None else surrogate
    randomised = bool(getattr(model, "randomised", False))
    charged = 1 if surrogate is None else stands_for(surrogate, model)
    for part in (model, source):
        if isinstance(part, nn.Module) and part.training:
            raise ValueError(f"{type(part).__name__} is in training mode; call its eval() before an attack")
    found = rounded(images)
    fooled = torch.zeros_like(labels, dtype=torch.bool)
    queries, gradients = torch.zeros_like(labels), torch.zeros_like(labels)
    with frozen(model), frozen(source), _lent_chance(seed, images.device):
        for start in range(0, len(images), batch_size):
            part = torch.arange(start, min(start + batch_size, len(images)), device=images.device)
            if not randomised:
                fooled[part] = fools(model, found[part], aims[part])
                queries[part] += 1
            right = part[~fooled[part]]
            if not len(right):
                continue
            calls = Counted(source, len(right), images.device)
            with torch.enable_grad():
                crafted = craft(calls, found[right], aims[right]).detach()
            adversarial = _checked(crafted, found[right], epsilon)
            fooled[right] = fools(model, adversarial, aims[right])
            found[right] = torch.where(fooled[right, None, None, None], adversarial, found[right])
            queries[right] += 1
            queries[right] += charged * calls.queries
            gradients[right] += charged * calls.gradients
    return Outcome(found, fooled, queries, gradients)


@torch.no_grad()
def _errs(model: Model, images: Tensor, labels: Tensor) -> Tensor:
    return lead(model(images), labels) > MARGIN


@torch.no_grad()
def _obeys(model: Model, images: Tensor, targets: Tensor) -> Tensor:
    return lead(model(images), targets) < -MARGIN


def _checked(crafted: Tensor, clean: Tensor, epsilon: float | None) -> Tensor:
    """Return `crafted` in eight bits, and the clean image in place of one that is not finite."""
    whole = crafted.isfinite().flatten(1).all(1)
    adversarial = rounded(torch.where(whole[:, None, None, None], crafted, clean))
    largest = (adversarial - clean).abs().max().item()
    if epsilon is not None and largest > epsilon + _HALF_LEVEL + 1e-6:
        raise RuntimeError(f"the attack changed a value by {largest:.4f}, its budget is {epsilon:.4f}")
    if adversarial.min() < 0 or adversarial.max() > 1:
        raise RuntimeError("the attack left [0, 1]")
    return adversarial


@contextmanager
def _lent_chance(seed: int, device: torch.device) -> Iterator[None]:
    """Seed the global generators of the CPU and of `device`, and put them back afterwards.

    `torch.manual_seed` would seed every GPU of the process, also those that nobody puts back.
    """
    gpu = device.type == "cuda"
    with torch.random.fork_rng([device] if gpu else []):
        torch.default_generator.manual_seed(seed)
        if gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
