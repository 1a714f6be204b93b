"""Conventional attacks within an l_inf budget, as the library torchattack has them.

All take the arguments of `natadv.attacks.foreign.keep_what_fools` and raise what it raises. The iterative ones take
`steps`, one forward and one backward pass each, `step_size`, by which a value changes in one and which is
`epsilon / steps` unless they say otherwise, and `decay`, what is left of their momentum after a step.

The library's PGD, I-FGSM, MI-FGSM and DI-FGSM do what their papers say. Its NI-FGSM and TI-FGSM carry no momentum
from step to step: see natadv.attacks.nim and natadv.attacks.tim.
"""

from torch import Tensor
from torchattack import DIFGSM, FGSM, IFGSM, MIFGSM, PGD

from natadv.attacks.foreign import BUDGET, keep_what_fools
from natadv.attacks.outcome import Outcome
from natadv.attacks.success import Model


def fgsm(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = BUDGET,
    surrogate: Model | None = None,
    batch_size: int = 32,
) -> Outcome:
    """Take one step of `epsilon` along the sign of the gradient (Goodfellow et al. 2015, Sec. 4)."""

    def craft(source: Model, clean: Tensor, targets: Tensor) -> Tensor:
        return FGSM(source, device=clean.device, eps=epsilon)(clean, targets)

    return keep_what_fools(
        craft, model, images, labels, epsilon=epsilon, surrogate=surrogate, seed=0, batch_size=batch_size
    )


def bim(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = BUDGET,
    steps: int = 10,
    step_size: float | None = None,
    surrogate: Model | None = None,
    batch_size: int = 32,
) -> Outcome:
    """Take `steps` steps along the sign of the gradient: I-FGSM (Kurakin et al. 2017, Sec. 2.2)."""

    def craft(source: Model, clean: Tensor, targets: Tensor) -> Tensor:
        attack = IFGSM(source, device=clean.device, eps=epsilon, steps=steps, alpha=step_size)
        return attack(clean, targets)

    return keep_what_fools(
        craft, model, images, labels, epsilon=epsilon, surrogate=surrogate, seed=0, batch_size=batch_size
    )


def pgd(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = BUDGET,
    steps: int = 10,
    step_size: float | None = None,
    seed: int = 0,
    surrogate: Model | None = None,
    batch_size: int = 32,
) -> Outcome:
    """Do as `bim`, from a random point within the budget (Madry et al. 2018, Sec. 2.1).

    A step is `2.5 * epsilon / steps` by default, so that every point of the budget can be reached (ibid., Appendix
    B); with the library's own, `epsilon / steps`, hardly any can.
    """
    step = 2.5 * epsilon / steps if step_size is None else step_size

    def craft(source: Model, clean: Tensor, targets: Tensor) -> Tensor:
        return PGD(source, device=clean.device, eps=epsilon, steps=steps, alpha=step)(clean, targets)

    return keep_what_fools(
        craft, model, images, labels, epsilon=epsilon, surrogate=surrogate, seed=seed, batch_size=batch_size
    )


def mim(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = BUDGET,
    steps: int = 10,
    step_size: float | None = None,
    decay: float = 1.0,
    surrogate: Model | None = None,
    batch_size: int = 32,
) -> Outcome:
    """Do as `bim`, along a running sum of gradients: MI-FGSM (Dong et al. 2018, Algorithm 1)."""

    def craft(source: Model, clean: Tensor, targets: Tensor) -> Tensor:
        attack = MIFGSM(source, device=clean.device, eps=epsilon, steps=steps, alpha=step_size, decay=decay)
        return attack(clean, targets)

    return keep_what_fools(
        craft, model, images, labels, epsilon=epsilon, surrogate=surrogate, seed=0, batch_size=batch_size
    )


def dim(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = BUDGET,
    steps: int = 10,
    step_size: float | None = None,
    decay: float = 1.0,
    probability: float = 0.5,
    seed: int = 0,
    surrogate: Model | None = None,
    batch_size: int = 32,
) -> Outcome:
    """Do as `mim`, on images that are shrunk and padded at random: M-DI2-FGSM (Xie et al. 2019, Sec. 3.4).

    With `probability`, a step sees its whole batch so, at one size of 0.9 of the side or more and in one place.

    Raises:
        ValueError: if the images are not square: the library would make them so.
    """
    if images.shape[-1] != images.shape[-2]:
        raise ValueError(f"expected square images, got {images.shape[-1]}x{images.shape[-2]} px")

    def craft(source: Model, clean: Tensor, targets: Tensor) -> Tensor:
        attack = DIFGSM(
            source,
            device=clean.device,
            eps=epsilon,
            steps=steps,
            alpha=step_size,
            decay=decay,
            diversity_prob=probability,
        )
        return attack(clean, targets)

    return keep_what_fools(
        craft, model, images, labels, epsilon=epsilon, surrogate=surrogate, seed=seed, batch_size=batch_size
    )
