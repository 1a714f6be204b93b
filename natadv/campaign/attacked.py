"""Attack the images that a model gets right, look at the results once more, and measure them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from natadv.attacks.outcome import Outcome
from natadv.attacks.success import Model, lead, rounded
from natadv.batches import to_images
from natadv.evaluation.perturbation import perturbation
from natadv.evaluation.success import is_right

Progress = Callable[[int], None]


class CodeAttack(Protocol):
    """An attack through codes with its options bound, as a `functools.partial` of `advrd`."""

    def __call__(
        self, model: Model, images: Tensor, labels: Tensor, *, starts: Tensor, progress: Callable[[int, int], None]
    ) -> Outcome:
        """Attack images, (n, 3, h, w), from first codes, (n, restarts, d)."""
        ...


@dataclass(frozen=True, slots=True)
class Attacked:
    """One image that the model got right, after an attack.

    Attributes:
        number: its place among the images given.
        target: its true class.
        predicted: what the model takes `image` for.
        fooled: true where that is wrong.
        queries: forward passes of the model that it took.
        gradients: backward passes that it took.
        mean_change: mean |change| of its values, which are in [0, 1].
        p95_change: what 95 % of those changes do not exceed.
        coverage: share of its pixels that changed visibly, 0..1.
        latent: the code that fooled, or the last tried, float32 (d,); None if the attack has no codes.
        image: uint8 RGB, (h, w, 3); the clean image where the attack failed.
    """

    number: int
    target: int
    predicted: int
    fooled: bool
    queries: int
    gradients: int
    mean_change: float
    p95_change: float
    coverage: float
    latent: NDArray[np.float32] | None
    image: NDArray[np.uint8]


def attack_right_ones(
    model: Model,
    blocks: Iterable[tuple[Tensor, Tensor]],
    attack: CodeAttack,
    *,
    codes: Callable[[NDArray[np.int64]], Tensor],
    batch_size: int = 64,
    first: int = 0,
    progress: Progress = lambda done: None,
) -> Iterator[Attacked]:
    """Yield what became of each image that the model gets right, in order; others are passed over.

    What fooled is shown to the model once more, among other images: an image on which it does not err then, as may
    be on a GPU or with a randomised model, counts as not fooled.

    Args:
        model: maps a batch to logits or probabilities.
        blocks: clean images, (n, 3, h, w), RGB in [0, 1] of 8-bit values, with their true classes, (n,).
        attack: what to do to them.
        codes: returns first codes, (n, restarts, d), of the images of these numbers.
        batch_size: images shown to the model at once.
        first: number of the first image.
        progress: called with how many images are done, those before the first among them.

    Raises:
        ValueError: as the attack does.
    """
    before = first
    for images, labels in blocks:
        right = is_right(model, images, labels, batch_size=batch_size).nonzero()[:, 0]
        passed = before + len(images) - len(right)
        progress(passed)
        clean, true = rounded(images[right]), labels[right]
        numbers = before + right.cpu().numpy()
        if len(right):
            outcome = attack(
                model,
                clean,
                true,
                starts=codes(numbers).to(images),
                progress=lambda done, _, passed=passed: progress(passed + done),
            )
            yield from _looked_at_again(model, clean, true, numbers, outcome, batch_size)
        before += len(images)


@torch.no_grad()
def _looked_at_again(
    model: Model, clean: Tensor, true: Tensor, numbers: NDArray[np.int64], outcome: Outcome, batch_size: int
) -> Iterator[Attacked]:
    fooled = torch.zeros_like(outcome.fooled)
    predicted = true.clone()
    for some in outcome.fooled.nonzero()[:, 0].flip(0).split(batch_size):
        scores = model(outcome.images[some])
        fooled[some] = lead(scores, true[some]) > 0
        predicted[some] = torch.where(fooled[some], scores.argmax(1), true[some])
    images = torch.where(fooled[:, None, None, None], outcome.images, clean)
    change = perturbation(clean, images)
    pictures = to_images(images)
    for place, number in enumerate(numbers):
        yield Attacked(
            number=int(number),
            target=int(true[place]),
            predicted=int(predicted[place]),
            fooled=bool(fooled[place]),
            queries=int(outcome.queries[place]),
            gradients=int(outcome.gradients[place]),
            mean_change=float(change.mean[place]),
            p95_change=float(change.p95[place]),
            coverage=float(change.coverage[place]),
            latent=None if outcome.latents is None else outcome.latents[place].float().cpu().numpy(),
            image=pictures[place],
        )
