"""NES: projected gradient steps along a gradient that is estimated from the model's scores (Ilyas et al. 2018).

A Gaussian direction, tried both ways, tells how much the loss rises along it; the mean over some dozens of directions,
each weighted by that rise, points with the gradient more than by chance (Sec. 2.2, Eq. 2). The steps are those of an
l_inf attack with momentum (Sec. 2.3). It needs scores, exact to small fractions of a level: neither labels alone nor
8-bit tries would show what a direction does.

Of 19 GTSRB images, at 8/255 on an undefended net of which PGD fools all, the defaults fool 12 with 414 queries each on
average, and the loss "margin" 14 with 476; steps of 0.005 and 0.02, or 20 samples a step, did no better.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from natadv.attacks.counted import Counted
from natadv.attacks.foreign import keep_what_fools
from natadv.attacks.outcome import Outcome
from natadv.attacks.success import MARGIN, Model, lead, rounded

Loss = Literal["cross_entropy", "margin"]
"""What is to rise: -log of the true class's probability, or by how much the best wrong logit leads (as in C&W)."""


def nes(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = 8 / 255,
    queries: int = 2000,
    samples: int = 50,
    sigma: float = 0.001,
    step_size: float = 0.01,
    momentum: float = 0.9,
    loss: Loss = "cross_entropy",
    seed: int = 0,
    batch_size: int = 32,
) -> Outcome:
    """Climb the loss by estimated gradients until the image in eight bits fools.

    An image costs `samples` queries a step and one more to look at it in eight bits; the last step takes what is left
    of `queries`. Two further looks, at the clean image and at the found one, come on top as in every attack.

    Args:
        model: maps images to logits, (n, classes); it is asked at points up to a few `sigma` outside [0, 1].
        images: clean images, (n, 3, h, w), RGB in [0, 1].
        labels: true classes, (n,).
        epsilon: l_inf budget, 8/255 as in the RAIN paper, Sec. IV-A, from which `queries` is too.
        queries: an image's limit, at least 3.
        samples: tries a step, an even number: two for each Gaussian direction. 50 as in the paper, its Table 1.
        sigma: standard deviation of the tries around the image, of the range [0, 1]; the paper's.
        step_size: by which a value changes in one step; the paper's 0.01, which stays as it is: the authors halve it
            where the loss has not risen for 20 steps, and 2000 queries are 39.
        momentum: how much of its running mean an estimate leaves, in [0, 1); the authors' 0.9.
        loss: what is to rise.
        seed: of the directions, drawn on the CPU so that it means the same on every device.
        batch_size: images at once, tries included.

    Raises:
        ValueError: if an argument is out of its range, or as in `natadv.attacks.foreign.keep_what_fools`.
    """
    if queries < 3 or samples < 2 or samples % 2:
        raise ValueError(f"expected 3 queries or more and an even number of samples, got {queries} and {samples}")
    if sigma <= 0 or step_size <= 0 or not 0 <= momentum < 1:
        raise ValueError(
            f"expected a positive sigma and step size and a momentum in [0, 1), got {sigma}, {step_size}, {momentum}"
        )
    if loss not in ("cross_entropy", "margin"):
        raise ValueError(f"expected the loss cross_entropy or margin, got {loss!r}")
    height = lead if loss == "margin" else _cross_entropy

    @torch.no_grad()
    def craft(calls: Counted, clean: Tensor, classes: Tensor) -> Tensor:
        lowest, highest = (clean - epsilon).clamp(min=0), (clean + epsilon).clamp(max=1)
        found, mean = clean.clone(), torch.zeros_like(clean)
        rows = torch.arange(len(clean), device=clean.device)
        left = queries
        while left >= 3 and len(rows):
            pairs = min(samples, left - 1) // 2
            left -= 2 * pairs + 1

            def loss_at(which: Tensor, tries: Tensor, rows: Tensor = rows) -> Tensor:
                return height(calls.at(rows[which])(tries), classes[rows[which]])

            # The lent generator, not one of our own from the same seed: a randomised model draws from it too, and its
            # noise must not be the directions.
            estimate = estimated_gradient(
                loss_at, found[rows], pairs=pairs, sigma=sigma, chance=torch.default_generator, batch_size=batch_size
            )
            mean[rows] = momentum * mean[rows] + (1 - momentum) * estimate
            found[rows] = (found[rows] + step_size * mean[rows].sign()).clamp(lowest[rows], highest[rows])
            rows = rows[lead(calls.at(rows)(rounded(found[rows])), classes[rows]) <= MARGIN]
        return found

    return keep_what_fools(craft, model, images, labels, epsilon=epsilon, seed=seed, batch_size=batch_size)


def estimated_gradient(
    loss_at: Callable[[Tensor, Tensor], Tensor],
    points: Tensor,
    *,
    pairs: int,
    sigma: float,
    chance: torch.Generator,
    batch_size: int,
) -> Tensor:
    """Return estimates of the loss's gradients at n points, (n, 3, h, w), from antithetic Gaussian tries.

    Of d values the estimate has a cosine of about sqrt(pairs / (pairs + d)) with a gradient that is constant over
    the tries.

    Args:
        loss_at: gives the losses, (k,), of tries, (k, 3, h, w), at the points of the numbers it is given first, (k,).
        points: where, (n, 3, h, w).
        pairs: directions a point, two tries each.
        sigma: standard deviation of the tries.
        chance: a generator on the CPU.
        batch_size: tries at once.
    """
    total = torch.zeros_like(points).flatten(1)
    for which in torch.split(torch.arange(len(points), device=points.device).repeat(pairs), batch_size):
        shape = (len(which), *points.shape[1:])
        along = torch.randn(shape, generator=chance, dtype=points.dtype).to(points.device)
        rise = loss_at(which, points[which] + sigma * along) - loss_at(which, points[which] - sigma * along)
        # A product of matrices adds up in the same order every time; index_add_ on a GPU does not.
        weights = total.new_zeros(len(points), len(which))
        weights[which, torch.arange(len(which), device=points.device)] = rise.to(total.dtype)
        total += weights @ along.flatten(1)
    return (total / (2 * sigma * pairs)).reshape(points.shape)


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    # As the softplus of the other classes' lead, which has a slope also where the true class's probability rounds to 1.
    others = logits.scatter(1, labels[:, None], -torch.inf).logsumexp(1)
    return softplus(others - logits.gather(1, labels[:, None])[:, 0])
