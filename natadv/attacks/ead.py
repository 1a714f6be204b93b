"""EAD: a small change in few values, by an elastic net (Chen et al. 2018, "EAD", Algorithm 1).

By foolbox: shrinkage-thresholding (FISTA), with a search for the weight of fooling against smallness; of the images
that fool the one of the smallest elastic-net distance is kept (the EN rule). RAIN's evaluation (Sec. IV-A) takes it
with 40 steps of 1/255 and a beta of 0.01, and no bound.
"""

from torch import Tensor

from natadv.attacks.foolbox_model import craft_by, foolbox
from natadv.attacks.foreign import keep_what_fools
from natadv.attacks.outcome import Outcome
from natadv.attacks.success import Model


def ead(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float | None = None,
    steps: int = 40,
    step_size: float = 1 / 255,
    binary_search_steps: int = 3,
    initial_const: float = 10.0,
    beta: float = 0.01,
    confidence: float = 0.0,
    surrogate: Model | None = None,
    batch_size: int = 32,
) -> Outcome:
    """Minimise the squared l2 change plus `beta` times the l1 change plus a weight times what fooling lacks.

    RAIN does not give the weights. Where a step of `step_size` times the weight times the slope is less than `beta`, a
    value stays as it was: with a weight of 1 not one image of a well-trained net fell, with 10 nearly all, with 100
    all. So the three of here go from 10 up to 1000, or down. As to the early end, see natadv.attacks.carlini_wagner.

    Args:
        model: what is to be fooled, with logits, in eval mode.
        images: clean images, (n, 3, h, w), RGB in [0, 1].
        labels: true classes, (n,).
        epsilon: l_inf bound, to which a change is clipped in the end; None for none.
        steps: steps for each weight, of two forward passes and a backward one each.
        step_size: of the first step; it falls to 0 with the root of what is left of them.
        binary_search_steps: weights that are tried, each time from the clean image; more make the change smaller.
        initial_const: the first weight (c); ten times that after a failure, half of it after a success.
        beta: weight of the l1 change, and by how much each step brings a value back to the clean one, at most to it.
        confidence: by how much the wrong class is to lead (kappa); an image that never led by as much comes back as it
            led most.
        surrogate: the model to craft on, for an attack by transfer; None for `model` itself.
        batch_size: images at once.

    Raises:
        ValueError: if an option makes no sense, and as `keep_what_fools`.
    """
    if min(steps, binary_search_steps) < 1 or min(step_size, initial_const) <= 0 or min(beta, confidence) < 0:
        raise ValueError(
            f"expected steps, a positive step size and weight and no negative beta or confidence, got {steps} x "
            f"{binary_search_steps}, {step_size}, {initial_const}, {beta} and {confidence}"
        )
    attack = foolbox.attacks.EADAttack(
        binary_search_steps=binary_search_steps,
        steps=steps,
        initial_stepsize=step_size,
        confidence=confidence,
        initial_const=initial_const,
        regularization=beta,
        decision_rule="EN",
        abort_early=False,
    )
    return keep_what_fools(
        craft_by(attack, epsilon=epsilon, confident=confidence > 0),
        model,
        images,
        labels,
        epsilon=epsilon,
        surrogate=surrogate,
        seed=0,
        batch_size=batch_size,
    )
