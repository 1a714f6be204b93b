"""Several passes of one image through a randomised defence: what they say together, and how far they disagree."""

import math

from torch import Tensor


def agreed(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return what several draws say together and how far apart they are.

    Args:
        logits: (n, draws, classes).

    Returns:
        The logarithm of the mean of their probabilities, (n, classes), so that a temperature changes no answer; and the
        mean over draws of the total variation between a draw's probabilities and that mean, (n,), 0..1.
    """
    each = logits.log_softmax(2)
    mean = each.logsumexp(1) - math.log(logits.shape[1])
    return mean, (each.exp() - mean.exp()[:, None]).abs().sum(2).mean(1) / 2
