"""Images behind the drops of codes, and the arguments that every attack through codes takes."""

import torch
from torch import Tensor, nn

from natadv.attacks.success import Model
from natadv.models.generator import Generator


def behind_drops(generator: Generator, images: Tensor, z: Tensor) -> Tensor:
    """Return images, (n, 3, h, w), behind the drops of codes, (n, d), clipped to [0, 1] as in Algorithm 1, line 5.

    Raises:
        ValueError: if the generator's images have another shape.
    """
    wet = generator(images, z)
    if wet.shape != images.shape:
        raise ValueError(f"expected wet images {tuple(images.shape)}, the generator gave {tuple(wet.shape)}")
    return wet.clamp(0, 1)


def check_arguments(
    model: Model, images: Tensor, labels: Tensor, generator: Generator, starts: Tensor, batch_size: int
) -> None:
    """Check what an attack through codes is given.

    Raises:
        ValueError: if images, (n, 3, h, w), are not within [0, 1], labels are not (n,) and whole, starts are not
            finite and (n, restarts, d) with at least one restart, the batch size is not positive, or a module is in
            training mode, where its answers depend on the batch or on chance.
    """
    for part in (model, generator):
        if isinstance(part, nn.Module) and part.training:
            raise ValueError(f"{type(part).__name__} is in training mode; call its eval() before an attack")
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
        raise ValueError(f"expected float images (n, 3, h, w), got {images.dtype} {tuple(images.shape)}")
    if images.numel() and not (images.min() >= 0 and images.max() <= 1):
        raise ValueError("expected images within [0, 1]")
    count, d = len(images), generator.latent_dim
    if labels.shape != (count,) or labels.dtype != torch.int64:
        raise ValueError(f"expected int64 labels ({count},), got {labels.dtype} {tuple(labels.shape)}")
    if starts.ndim != 3 or len(starts) != count or starts.shape[1] < 1 or starts.shape[2] != d:
        raise ValueError(f"expected starts ({count}, restarts, {d}), at least one restart, got {tuple(starts.shape)}")
    if not starts.isfinite().all():
        raise ValueError("expected finite starts")
    if batch_size < 1:
        raise ValueError(f"expected a positive batch size, got {batch_size}")
