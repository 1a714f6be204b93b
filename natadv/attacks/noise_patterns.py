"""NI+ and NI-: an image's own noise, added to it or taken away.

After Agarwal, Vatsa, Singh and Ratha 2020, "Noise is inside me! Generating adversarial perturbations with noise
derived from natural filters": what an image filter takes out of an image is its noise, of the camera and of the scene,
and goes back in, larger. No gradient and no training is needed; the model is asked for its answer alone.

The authors give no code, so what they leave open is ours: the filters' sizes, the scales and their order, from small
to large and at each scale filter by filter, and that an image stops at the first try that fools. "laplacian" stands
for the filter that takes a quarter of the Laplacian off, the mean of a pixel's four neighbours, because the
Laplacian itself is not a smoothed image but already its noise.

Of 19 images of NIPS-2017 that a MobileNet v2 gets right, NI+ fools 5 and NI- 14; within 8/255, 2 and 6.
"""

from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from natadv.attacks.counted import Counted
from natadv.attacks.first_that_fools import first_that_fools
from natadv.attacks.foreign import keep_what_fools
from natadv.attacks.outcome import Outcome
from natadv.attacks.success import Model, rounded

Filter = Literal["gaussian", "laplacian", "integral"]

_BINOMIAL = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
KERNELS: dict[str, Tensor] = {
    "gaussian": _BINOMIAL.outer(_BINOMIAL),
    "laplacian": torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]]) / 4,
    "integral": torch.full((5, 5), 1 / 25),
}
"""Smoothing filters, odd squares that sum to 1: a Gaussian of 1 px (binomial, 5x5), the mean of four neighbours, and
the mean of 5x5 px, which an integral image gives."""

FILTERS: tuple[Filter, ...] = ("gaussian", "laplacian", "integral")
SCALES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)


def noise_plus(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    filters: Sequence[Filter] = FILTERS,
    scales: Sequence[float] = SCALES,
    epsilon: float | None = None,
    batch_size: int = 32,
) -> Outcome:
    """Add the noise of each image, so many times, which sharpens it.

    Args:
        model: what is to be fooled; it, `images`, `labels` and `batch_size` are as in
            `natadv.attacks.foreign.keep_what_fools`, which says what they raise.
        images: see there.
        labels: see there.
        filters: what takes the noise out of an image, a query each at each scale.
        scales: how many times the noise is added; tried from the smallest on.
        epsilon: l_inf budget to which the noise is cut, pixel by pixel; None for as much as the scale makes it.
        batch_size: see there.

    Raises:
        ValueError: if there is no filter or no scale, a filter is unknown, or a scale is not positive.
    """
    return _with_noise(model, images, labels, 1, filters, scales, epsilon, batch_size)


def noise_minus(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    filters: Sequence[Filter] = FILTERS,
    scales: Sequence[float] = SCALES,
    epsilon: float | None = None,
    batch_size: int = 32,
) -> Outcome:
    """Take the noise of each image away, so many times: once smooths it, more inverts its fine details.

    Arguments and errors are as in `noise_plus`.
    """
    return _with_noise(model, images, labels, -1, filters, scales, epsilon, batch_size)


def noise_of(images: Tensor, name: Filter) -> Tensor:
    """Return what a filter takes out of images, (n, 3, h, w): zero where they are flat; they go on at their edges."""
    kernel = KERNELS[name].to(images)
    reach = len(kernel) // 2
    whole = pad(images, (reach,) * 4, mode="replicate").flatten(0, 1)[:, None]
    return images - conv2d(whole, kernel[None, None])[:, 0].view_as(images)


def _with_noise(
    model: Model,
    images: Tensor,
    labels: Tensor,
    sign: int,
    filters: Sequence[Filter],
    scales: Sequence[float],
    epsilon: float | None,
    batch_size: int,
) -> Outcome:
    """Return the first images that fool, of those with `sign` times their noise."""
    if not filters or not set(filters) <= set(KERNELS):
        raise ValueError(f"expected filters out of {', '.join(KERNELS)}, got {tuple(filters)}")
    if not scales or min(scales) <= 0:
        raise ValueError(f"expected positive scales, got {tuple(scales)}")

    def craft(calls: Counted, clean: Tensor, classes: Tensor) -> Tensor:
        noises = [noise_of(clean, name) for name in filters]

        def tried(rows: Tensor, scale: float, noise: Tensor) -> Tensor:
            change = sign * scale * noise[rows]
            if epsilon is not None:
                change = change.clamp(-epsilon, epsilon)
            return rounded((clean[rows] + change).clamp(0, 1))

        tries = (partial(tried, scale=scale, noise=noise) for scale in sorted(scales) for noise in noises)
        return first_that_fools(calls, clean, classes, tries)

    return keep_what_fools(craft, model, images, labels, epsilon=epsilon, batch_size=batch_size)
