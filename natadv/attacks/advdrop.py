"""AdvDrop: fool a model by dropping details of an image, not by adding any (Duan et al. 2021).

Each 8x8 block of each RGB channel has a quantisation table, and is shown with its DCT coefficients rounded to
multiples of the table's steps. A coefficient so loses its finer part, or all of it; none grows by more than half a
step. Gradient steps on the tables find which of them to coarsen. The budget is on the tables: they stay within
`epsilon` of the smallest one.

The channels are RGB, as in the authors' code. Four things are ours:

- The model sees the image as it is judged, rounded hard and in eight bits, and the gradient is that of the soft
  rounding in its place, so that one pass both checks and leads. With the authors' soft image, which needs a second pass
  for the check, the same steps found 8 of 11 targeted images at 20, and these 10.
- The bound grows from step to step, so that what fools first has about the smallest tables that can; where none does,
  the image is begun again at the largest tables. The authors begin there at once, `growth=0`, where a large bound fools
  by coarseness alone.
- An image is done when it fools. The authors' go on until all of their batch do, most of them far beyond the boundary;
  `whole_budget` goes on to the last step, whoever the neighbours are, and keeps the image that fools by the most.
- A step is a twentieth of the bound: 1 level at 20, as the authors' always is, 3 at 60 and 5 at 100.

What the start and the whole budget do to files and to denoising is in results/advdrop.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from natadv.attacks.block_dct import coefficients_of, images_of
from natadv.attacks.counted import Counted
from natadv.attacks.foreign import keep_what_fools
from natadv.attacks.outcome import Outcome
from natadv.attacks.success import MARGIN, Model, lead

_SOFTEST = 0.1


def advdrop(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = 60.0,
    smallest: float = 1.0,
    steps: int = 50,
    step_size: float | None = None,
    growth: float = 0.5,
    whole_budget: bool = False,
    targets: Tensor | None = None,
    surrogate: Model | None = None,
    batch_size: int = 32,
) -> Outcome:
    """Coarsen the tables by at most `steps` steps along the sign of the gradient, until the image fools, or by all.

    As many again from the largest tables follow, where growing ones have not fooled. A step is one forward and one
    backward pass. No random number is drawn. The paper's `epsilon` is 20, 60 or 100, its steps are 50, or 500 with
    targets.

    Args:
        model: what is to be fooled; it, `images`, `labels`, `targets`, `surrogate` and `batch_size` are as in
            `natadv.attacks.foreign.keep_what_fools`, which says what they raise.
        images: see there; of any size.
        labels: see there.
        epsilon: how much coarser than `smallest` a step of a table may become, in levels of 0 to 255.
        smallest: the least step of a table, in levels; 5 in the authors' code.
        steps: how often the tables change from either start.
        step_size: by how much in one step, in levels; `epsilon / 20` by default.
        growth: share of the steps in which the bound grows to `epsilon`; the tables grow with it unless the gradient
            makes them finer. 0 starts at `epsilon`.
        whole_budget: whether an image that fools is taken on to the last step, and fools by the most in the end.
        targets: see there.
        surrogate: see there.
        batch_size: see there.

    Raises:
        ValueError: if `epsilon`, `smallest`, `steps` or `step_size` is not positive, or `growth` not in [0, 1].
    """
    return advdrop_with_tables(
        model,
        images,
        labels,
        epsilon=epsilon,
        smallest=smallest,
        steps=steps,
        step_size=step_size,
        growth=growth,
        whole_budget=whole_budget,
        targets=targets,
        surrogate=surrogate,
        batch_size=batch_size,
    )[0]


def advdrop_with_tables(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = 60.0,
    smallest: float = 1.0,
    steps: int = 50,
    step_size: float | None = None,
    growth: float = 0.5,
    whole_budget: bool = False,
    targets: Tensor | None = None,
    surrogate: Model | None = None,
    batch_size: int = 32,
) -> tuple[Outcome, Tensor]:
    """Do as `advdrop`, and return also the tables of the images found, in levels.

    They are (n, 3, ceil(h / 8), ceil(w / 8), 8, 8), zero where the attack failed or was not needed, and `drop` makes
    the outcome's images out of the clean ones and them.
    """
    stride = epsilon / 20 if step_size is None else step_size
    if min(epsilon, smallest, steps, stride) <= 0:
        raise ValueError(
            f"expected positive epsilon, smallest, steps and step_size, got {epsilon}, {smallest}, {steps}, {stride}"
        )
    if not 0 <= growth <= 1:
        raise ValueError(f"expected a growth in [0, 1], got {growth}")
    uphill = 1 if targets is None else -1
    growing = [smallest + epsilon * min(1.0, (step + 1) / max(1.0, growth * steps)) for step in range(steps + 1)]
    largest = [smallest + epsilon] * (steps + 1)
    starts = (growing, largest) if growing != largest else (largest,)
    tables_of_crafted = []

    def craft(calls: Counted, clean: Tensor, classes: Tensor) -> Tensor:
        coefficients = coefficients_of(clean * 255)
        found, used = clean.clone(), torch.zeros_like(coefficients)
        most = clean.new_full(classes.shape, -torch.inf)

        def coarsen(waiting: Tensor, bounds: list[float]) -> Tensor:
            """Attack the images of these rows, and return the rows of those that are not fooled."""
            tables = torch.full_like(coefficients, bounds[0])
            for step in range(steps):
                trial = tables[waiting].requires_grad_()
                seen, shown = _dropped(coefficients[waiting], trial, clean.shape[-2:], _SOFTEST * (1 - step / steps))
                logits = calls.at(waiting)(shown)
                ahead = uphill * lead(logits, classes[waiting]).to(most)
                # Until an image fools its last form is kept, from then on the one that fools by the most.
                kept = (ahead > most[waiting]) | (most[waiting] <= MARGIN)
                rows, tried = waiting[kept], trial.detach()
                found[rows], used[rows], most[rows] = seen[kept], tried[kept], ahead[kept]
                going = most[waiting] <= MARGIN
                if whole_budget:
                    going = torch.ones_like(going)
                if not going.any():
                    return waiting[going]
                loss = cross_entropy(logits, classes[waiting], reduction="sum")
                (gradient,) = torch.autograd.grad(loss, trial)
                waiting = waiting[going]
                followed = tried[going] + bounds[step + 1] - bounds[step]
                moved = followed + uphill * stride * gradient[going].sign()
                tables[waiting] = moved.clamp(smallest, bounds[step + 1])
            return waiting[most[waiting] <= MARGIN]

        waiting = torch.arange(len(clean), device=clean.device)
        for bounds in starts:
            if len(waiting):
                waiting = coarsen(waiting, bounds)
        tables_of_crafted.append(used)
        return found

    outcome = keep_what_fools(
        craft,
        model,
        images,
        labels,
        epsilon=None,
        surrogate=surrogate,
        batch_size=batch_size,
        targets=targets,
    )
    tables = torch.zeros_like(coefficients_of(images))
    if tables_of_crafted:
        # What a model that is not randomised got wrong at first sight was asked once, and nothing was crafted of it.
        asked_first = 0 if getattr(model, "randomised", False) else 1
        tables[outcome.queries > asked_first] = torch.cat(tables_of_crafted)
    tables[~outcome.fooled] = 0
    return outcome, tables


def drop(images: Tensor, tables: Tensor) -> Tensor:
    """Return images in eight bits, (n, 3, h, w) in [0, 1], without what their tables drop.

    Args:
        images: (n, 3, h, w), RGB in [0, 1].
        tables: (n, 3, ceil(h / 8), ceil(w / 8), 8, 8), in levels; a coefficient whose step is 0 is kept as it is.
    """
    return _eight_bit(quantised(coefficients_of(images * 255), tables), images.shape[-2:])


def quantised(coefficients: Tensor, tables: Tensor) -> Tensor:
    """Return the multiples of the tables' steps that are nearest to coefficients of the same shape."""
    steps = torch.where(tables > 0, tables, torch.ones_like(tables))
    return torch.where(tables > 0, (coefficients / steps).round() * steps, coefficients)


def softly_rounded(values: Tensor, softness: float) -> Tensor:
    """Return values rounded by a tanh between each two whole numbers; whole and half ones stay as they are.

    It is the differentiable soft quantisation of Gong et al. 2019. The less the softness, in (0, 1), the steeper the
    middle between two whole numbers.
    """
    whole = values.floor()
    steepness = math.log(2 / softness - 1)
    return whole + 0.5 + torch.tanh((values - whole - 0.5) * steepness) / (2 * (1 - softness))


def _dropped(coefficients: Tensor, tables: Tensor, size: tuple[int, int], softness: float) -> tuple[Tensor, Tensor]:
    """Return the images as they are judged, and the same with the gradient of soft rounding to the tables."""
    seen = _eight_bit(quantised(coefficients, tables.detach()), size)
    soft = images_of(softly_rounded(coefficients / tables, softness) * tables, size) / 255
    return seen, seen + (soft - soft.detach())


def _eight_bit(coefficients: Tensor, size: tuple[int, int]) -> Tensor:
    return images_of(coefficients, size).clamp(0, 255).round() / 255
