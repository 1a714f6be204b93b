"""TI-FGSM with momentum: gradients smoothed over shifts of the image (Dong et al. 2019, Sec. 3.3).

The library's TIFGSM forgets its momentum at every step, so the smoothing is put into the model's backward pass, where
the library's MIFGSM meets it.
"""

from functools import partial

from torch import Tensor
from torchattack import MIFGSM

from natadv.attacks.foreign import BUDGET, keep_what_fools
from natadv.attacks.outcome import Outcome
from natadv.attacks.success import Model
from natadv.attacks.variants import smooth

_PAPERS_SIDE_PX, _PAPERS_KERNEL_PX = 299, 15


def tim(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    epsilon: float = BUDGET,
    steps: int = 10,
    step_size: float | None = None,
    decay: float = 1.0,
    kernel_px: int | None = None,
    surrogate: Model | None = None,
    batch_size: int = 32,
) -> Outcome:
    """Do as `natadv.attacks.library.mim`, along gradients smoothed by a Gaussian of the odd side `kernel_px`.

    By default that is `kernel_side` of the images.
    """
    side = kernel_side(min(images.shape[-2:])) if kernel_px is None else kernel_px

    def craft(source: Model, clean: Tensor, targets: Tensor) -> Tensor:
        def smoothed(batch: Tensor) -> Tensor:
            batch.register_hook(partial(smooth, width_px=side))
            return source(batch)

        attack = MIFGSM(smoothed, device=clean.device, eps=epsilon, steps=steps, alpha=step_size, decay=decay)
        return attack(clean, targets)

    return keep_what_fools(
        craft, model, images, labels, epsilon=epsilon, surrogate=surrogate, seed=0, batch_size=batch_size
    )


def kernel_side(side_px: int) -> int:
    """Return the odd side of the kernel that is to an image's side as the paper's 15 to 299, 3 at least.

    At 224 px it is 11, at 64 px 3; the paper's own would blur a small sign's gradient into one blot.
    """
    return max(3, 2 * round((_PAPERS_KERNEL_PX * side_px / _PAPERS_SIDE_PX - 1) / 2) + 1)
