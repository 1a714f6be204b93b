"""AdvRD without gradients: try natural drops until one sample of them fools.

Liu et al. 2023, Sec. 3.2.4: "sampling N inputs from the Gauss noise distribution and choose the one that can fool the
target model".
"""

from collections.abc import Callable

import torch
from torch import Tensor

from natadv.attacks.behind_drops import behind_drops, check_arguments
from natadv.attacks.outcome import Outcome
from natadv.attacks.success import MARGIN, Model, lead, rounded
from natadv.models.generator import Generator


@torch.no_grad()
def advrd_black_box(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    generator: Generator,
    starts: Tensor,
    batch_size: int = 64,
    margin: float = MARGIN,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Show the model each image behind drops in the order of `starts`, up to the first that it errs on.

    No sample is tried ahead: an image's `queries` are all that the model saw of it, the place of the sample that
    fooled, from 1, or all of them. More samples never undo a success. Images that the model gets wrong clean are the
    caller's to leave out.

    Args:
        model: maps a batch to logits or probabilities, (n, classes); anything that can be asked.
        images: clean, (n, 3, h, w), RGB in [0, 1].
        labels: true classes, (n,).
        generator: puts the drops of codes on images.
        starts: codes to try, (n, samples, d), from N(0, I).
        batch_size: images shown at once.
        margin: by how much a wrong class must lead, in the unit of the model's scores.
        progress: called after each sample with the images decided and the images in all.

    Raises:
        ValueError: if an argument has a wrong shape or range, a module is in training mode, or the model's answer
            is NaN.
    """
    check_arguments(model, images, labels, generator, starts, batch_size)
    found, latents = rounded(images), starts[:, -1].clone()
    fooled = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    queries = torch.zeros(len(images), dtype=torch.int64, device=images.device)
    for sample in range(starts.shape[1]):
        for some in (~fooled).nonzero()[:, 0].split(batch_size):
            z = starts[some, sample]
            wet = rounded(behind_drops(generator, images[some], z))
            errs = lead(model(wet), labels[some]) > margin
            queries[some] += 1
            found[some[errs]], latents[some[errs]], fooled[some] = wet[errs], z[errs], errs
        if progress is not None:
            progress(len(images) if sample + 1 == starts.shape[1] else int(fooled.sum()), len(images))
    return Outcome(found, fooled, queries, torch.zeros_like(queries), latents)
