"""A trial: the images of a dataset that a model gets right, ready to be attacked."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from natadv.batches import to_batch
from natadv.data.draw import Drawn
from natadv.errors import DataError
from natadv.evaluation.rates import KinRate
from natadv.evaluation.success import is_right
from natadv.training.victim import Victim, targets_of


@dataclass(frozen=True)
class Missed:
    """What a model gets wrong: not attacked, but part of its accuracy, also of its accuracy behind a defence.

    Attributes:
        images: clean, (n, 3, h, w), RGB in [0, 1].
        labels: the victim's class of each, (n,).
        kin: what each is of, (n,).
    """

    images: Tensor
    labels: Tensor
    kin: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """What a model gets right, on its device.

    Attributes:
        victim: the model.
        data: the dataset's name.
        images: clean, (n, 3, h, w), RGB in [0, 1], at the size that is attacked.
        labels: the victim's class of each, (n,).
        numbers: place of each in its dataset, (n,).
        clean: the share of the drawn images that these are.
        kin: what each is of, (n,), see `natadv.data.kin`.
        missed: the other drawn images.
    """

    victim: Victim
    data: str
    images: Tensor
    labels: Tensor
    numbers: NDArray[np.int64]
    clean: KinRate
    kin: tuple[str, ...]
    missed: Missed

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the images in pixels."""
        return self.images.shape[-2], self.images.shape[-1]

    def rate(self, which: Tensor) -> KinRate:
        """Return how often something is so of the images, (n,), with an interval that counts what they are of."""
        return KinRate.of(which.tolist(), self.kin)


def try_model(
    victim: Victim, drawn: Drawn, *, size: tuple[int, int] | None = None, device: str = "cpu", batch_size: int = 64
) -> Trial:
    """Keep the drawn images that the victim gets right.

    Args:
        victim: on `device`.
        drawn: the images.
        size: (height, width) to attack them at; by default the victim's own.
        device: where they are to be.
        batch_size: images at once.

    Raises:
        DataError: if the classes do not match, or the victim gets no image right or answers NaN.
    """
    labels = torch.from_numpy(targets_of(victim, drawn.dataset)).to(device)
    images = to_batch(drawn.dataset.images(size or victim.input_size), torch.device(device)).contiguous()
    try:
        right = is_right(victim.model, images, labels, batch_size=batch_size)
    except ValueError as error:  # NaN, or not one score a class
        raise DataError(f"{victim.name}: {error}") from error
    kept, kin = right.cpu().numpy(), drawn.dataset.kin
    clean = KinRate.of(kept.tolist(), kin)
    if not clean.hits:
        raise DataError(f"{victim.name} gets none of {len(labels)} images of {drawn.dataset.name} right")
    of, other = (tuple(name for name, one in zip(kin, kept, strict=True) if one == wanted) for wanted in (True, False))
    missed = Missed(images[~right], labels[~right], other)
    return Trial(victim, drawn.dataset.name, images[right], labels[right], drawn.numbers[kept], clean, of, missed)
