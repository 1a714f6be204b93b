"""AdvRD: find, by gradient ascent on latent codes, the raindrops that fool a classifier.

Liu et al. 2023, Sec. 3.2.4 and Algorithm 1 (white box), Eqs. 11 to 13: from several random codes, a few steps each
along the sign of the loss's gradient through the classifier and the raindrop generator, until one fools.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from natadv.attacks.behind_drops import behind_drops, check_arguments
from natadv.attacks.outcome import Outcome
from natadv.attacks.success import MARGIN, Model, lead, rounded
from natadv.attacks.tries import Tries
from natadv.attacks.variants import accumulate
from natadv.models.frozen import frozen
from natadv.models.generator import Generator

Change = Callable[[Tensor], Tensor]
"""Maps a batch or its gradient, (n, 3, h, w), to another of the same shape."""


def advrd(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    generator: Generator,
    starts: Tensor,
    steps: int = 10,
    step_size: float = 0.05,
    radius: float | None = None,
    momentum: float = 0.0,
    diversity: Change | None = None,
    translation: Change | None = None,
    batch_size: int = 64,
    margin: float = MARGIN,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Look for drops before `images` that the model errs on; images it gets wrong clean are the caller's to leave out.

    As Algorithm 1 has it, a restart is checked `steps` times, at z^1 (its start) to z^T; the code after the last
    update is never looked at, so that update is not computed. The restarts of all images share one batch, and all of
    an image's restarts stop once one fools: the same images are fooled as by the algorithm's plain loops, not always
    by the same restart. `diversity` draws in the order of the batch, and is repeatable for one batch size alone.

    A check is the forward pass that the gradient needs too. Only where that errs is the 8-bit form run as well, and
    an image counts when both err.

    Args:
        model: maps a batch to logits, (n, classes), each row by itself; in eval mode.
        images: clean, (n, 3, h, w), RGB in [0, 1].
        labels: true classes, (n,).
        generator: puts the drops of codes on images; in eval mode.
        starts: first codes of each image's restarts, (n, restarts, d), from N(0, I).
        steps: T, checks of one restart.
        step_size: alpha of Eq. 13, by which every entry of a code moves.
        radius: l2 bound on codes, Eq. 11, starts among them; None for none.
        momentum: decay of the accumulated gradient (MIM); 0 for none.
        diversity: what the model sees instead when the gradient is taken (DIM), one more forward pass a step; as
            `variants.resize_and_pad` with its options bound.
        translation: acts on the gradient at the image (TIM), as `variants.smooth`.
        batch_size: tries in work at once.
        margin: by how much a wrong class must lead on the 8-bit form.
        progress: called after each step with the images decided and the images in all.

    Raises:
        ValueError: if an argument has a wrong shape or range, a module is in training mode, the model's answer is NaN,
            or no gradient reaches the codes.
    """
    check_arguments(model, images, labels, generator, starts, batch_size)
    if steps < 1 or not step_size > 0 or not momentum >= 0 or (radius is not None and not radius > 0):
        raise ValueError(
            "expected positive steps, step_size and radius, and a momentum of at least 0, "
            f"got {steps}, {step_size}, {radius} and {momentum}"
        )
    images = images.detach()
    starts = _within(starts.detach(), radius)
    tries, found = Tries(starts, batch_size), _Found.nothing(images, starts)
    with frozen(model), frozen(generator), torch.enable_grad():
        while tries.refill():
            image = tries.image
            rows = torch.from_numpy(image).to(images.device)
            true, z = labels[rows], tries.z.detach().requires_grad_()
            wet = behind_drops(generator, images[rows], z)
            if translation is not None and wet.requires_grad:
                wet.register_hook(translation)
            logits = model(wet)
            np.add.at(found.queries, image, 1)
            tries.step = tries.step + 1

            suspects = _where(lead(logits, true) > 0)
            won = suspects[:0]
            if len(suspects):
                eight_bit = rounded(wet[suspects])
                with torch.no_grad():
                    errs = _where(lead(model(eight_bit), true[suspects]) > margin)
                np.add.at(found.queries, image[suspects], 1)
                won = suspects[errs]
                found.take(image[won], tries.restart[won], eight_bit[errs], z.detach()[won])

            spent = tries.step >= steps
            climbing = np.flatnonzero(~spent & ~found.fooled[image])
            if len(climbing):
                scores = logits[climbing]
                if diversity is not None:
                    scores = model(diversity(wet[climbing]))
                    np.add.at(found.queries, image[climbing], 1)
                if not scores.requires_grad:
                    raise ValueError("no gradient reaches the codes through the model; take advrd_black_box")
                loss = cross_entropy(scores, true[climbing], reduction="sum")
                (gradient,) = torch.autograd.grad(loss, z)
                np.add.at(found.gradients, image[climbing], 1)
                if momentum:
                    gradient = tries.velocity = accumulate(tries.velocity, gradient, momentum)
                tries.z = _within(z.detach() + step_size * gradient.sign(), radius)
            last = spent & (tries.restart == starts.shape[1] - 1) & ~found.fooled[image]
            found.latents[image[last]] = z.detach()[last]
            tries.end(spent, image[won])
            if progress is not None:
                progress(tries.decided, len(images))
    return found.outcome()


@dataclass
class _Found:
    """What has been found so far; the fields are those of `Outcome`."""

    images: Tensor
    fooled: NDArray[np.bool_]
    queries: NDArray[np.int64]
    gradients: NDArray[np.int64]
    latents: Tensor

    @classmethod
    def nothing(cls, images: Tensor, starts: Tensor) -> "_Found":
        queries, gradients = np.zeros((2, len(images)), np.int64)
        return cls(rounded(images), np.zeros(len(images), bool), queries, gradients, starts[:, -1].clone())

    def take(self, image: NDArray[np.int64], restart: NDArray[np.int64], wet: Tensor, z: Tensor) -> None:
        """Note rows that fool; of an image's restarts that do in the same step, the first counts."""
        order = np.argsort(restart, kind="stable")
        image, first = np.unique(image[order], return_index=True)
        rows = order[first]
        self.fooled[image] = True
        self.images[image], self.latents[image] = wet[rows], z[rows]

    def outcome(self) -> Outcome:
        counts = (torch.from_numpy(of).to(self.images.device) for of in (self.fooled, self.queries, self.gradients))
        return Outcome(self.images, *counts, latents=self.latents)


def _within(z: Tensor, radius: float | None) -> Tensor:
    """Return codes, (..., d), brought back to the ball of Eq. 11."""
    if radius is None:
        return z
    return z * (radius / z.norm(dim=-1, keepdim=True).clamp(min=radius))


def _where(mask: Tensor) -> NDArray[np.int64]:
    return np.flatnonzero(mask.cpu().numpy())
