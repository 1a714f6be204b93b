"""DeepFool: step to the nearest boundary of a linearised model until it is crossed (Moosavi-Dezfooli et al. 2016).

By foolbox, with a step in the l2 norm (Algorithm 2) or, as the paper extends it, in the l_inf norm. RAIN's evaluation
(Sec. IV-A) takes the l_inf norm, 40 steps and a bound of 8/255.
"""

import torch
from torch import Tensor

from natadv.attacks.foolbox_model import JudgedModel, craft_by, foolbox
from natadv.attacks.foreign import keep_what_fools
from natadv.attacks.outcome import Outcome
from natadv.attacks.success import Model

_BY_NORM = {"linf": foolbox.attacks.LinfDeepFoolAttack, "l2": foolbox.attacks.L2DeepFoolAttack}


class _LabelFirst(JudgedModel):
    """The model as DeepFool may rank its classes: the true one first, whatever a randomised model says that once.

    From a wrong class on top, foolbox would look for a way out of that class, which may lead back to the true one.
    """

    def forward(self, batch: Tensor) -> Tensor:
        logits = super().forward(batch)
        if batch.requires_grad:
            return logits
        return logits.scatter(1, self._classes, torch.inf)  # the one call without a gradient is the ranking


def deepfool(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float | None = 8 / 255,
    norm: str = "linf",
    steps: int = 40,
    overshoot: float = 0.02,
    candidates: int = 10,
    surrogate: Model | None = None,
    batch_size: int = 32,
) -> Outcome:
    """Cross the nearest boundary by linear steps; what is left of a change beyond `epsilon` is clipped to it.

    The library stops when all images of a batch are beyond the boundary; until then each is asked, and charged. It
    sees 8-bit forms (natadv.attacks.foolbox_model), so that it repeats a step too small for them until one shows.

    Args:
        model: what is to be fooled, with logits, in eval mode.
        images: clean images, (n, 3, h, w), RGB in [0, 1].
        labels: true classes, (n,).
        epsilon: l_inf bound, by either norm; None for none.
        norm: "linf" or "l2", whose smallest step is taken.
        steps: steps at most, each of one forward and one backward pass for every candidate but the true class.
        overshoot: by which part of itself the change exceeds the linear one (the paper's eta).
        candidates: how many of the classes that the model ranks highest are tried, the true one among them.
        surrogate: the model to craft on, for an attack by transfer; None for `model` itself.
        batch_size: images at once.

    Raises:
        ValueError: if an option makes no sense, and as `keep_what_fools`.
    """
    if norm not in _BY_NORM:
        raise ValueError(f"expected the norm linf or l2, got {norm}")
    if steps < 1 or overshoot < 0 or candidates < 2:
        raise ValueError(
            f"expected a step, an overshoot of 0 or more and 2 candidates, got {steps}, {overshoot} and {candidates}"
        )
    attack = _BY_NORM[norm](steps=steps, overshoot=overshoot, candidates=candidates)
    return keep_what_fools(
        craft_by(attack, epsilon=epsilon, judged=_LabelFirst),
        model,
        images,
        labels,
        epsilon=epsilon,
        surrogate=surrogate,
        seed=0,
        batch_size=batch_size,
    )
