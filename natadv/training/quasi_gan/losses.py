"""The quasi-GAN's losses (Liu et al. 2023, Eq. 5 to 9), and those of the recipe that works.

The paper's words, taken literally, reward nothing: L1 to the *clean* image at weight 100 makes the identity the best
answer. `natadv`'s recipe asks for the raindrop image where there is one to reproduce.
"""

import torch
from torch import Tensor
from torch.nn import functional


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, variance) | N(0, 1)) of each code, (n,), summed over its numbers (Eq. 6)."""
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum(1)


def adversarial_loss(logits: Tensor, labels: Tensor, eta: float) -> Tensor:
    """Return |CE - eta| of each image, (n,): fooling, but no more than needed (Eq. 9)."""
    return (functional.cross_entropy(logits, labels, reduction="none") - eta).abs()


def saturating_generator_loss(fake_logits: Tensor) -> Tensor:
    """Return the mean of log(1 - D(o')), which has no slope while D wins (Eq. 5)."""
    return -functional.softplus(fake_logits).mean()


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Return the mean of -log D(o'), the non-saturating form (Goodfellow et al. 2014, Sec. 3)."""
    return functional.softplus(-fake_logits).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return the mean of -log D(o) - log(1 - D(o')) (Eq. 8)."""
    return functional.softplus(-real_logits).mean() + functional.softplus(fake_logits).mean()


def balanced_l1(wet: Tensor, rain: Tensor, clean: Tensor, *, emphasis: float = 4.0) -> Tensor:
    """Return the mean |o' - o|, counting pixels that drops changed `1 + emphasis` times.

    Drops cover a tenth of a picture; without the emphasis the clean image is nearly as good an answer as the right one.
    """
    weight = 1 + emphasis * changed(rain, clean)
    return (weight * (wet - rain).abs()).mean() / weight.mean()


def changed(rain: Tensor, clean: Tensor) -> Tensor:
    """Return where drops changed the picture, (n, 1, h, w): from 0 to 1 at a tenth of the range."""
    return ((rain - clean).abs().amax(1, keepdim=True) * 10).clamp(max=1)


def opacity_loss(opacity: Tensor, rain: Tensor, clean: Tensor) -> Tensor:
    """Return the mean cross-entropy between opacity, (n, 1, h, w), and where the drops of a pair changed it."""
    likely = opacity.float().clamp(1e-4, 1 - 1e-4)
    where = changed(rain, clean)
    return -(where * likely.log() + (1 - where) * (1 - likely).log()).mean()


def reparametrised(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Return a sample of N(mean, variance) from one of N(0, 1) (Kingma and Welling 2014, Eq. 4)."""
    return mean + torch.exp(0.5 * log_variance) * noise
