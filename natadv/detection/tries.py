"""Rain that nobody aims: put on an image again and again, by chance, until it fools or the tries are over.

The chance of a try follows from the seed, the image's own bytes and the number of the try: an image meets the same
rain in any batch and on any device.
"""

import hashlib
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from natadv.attacks.counted import Counted
from natadv.attacks.first_that_fools import first_that_fools
from natadv.attacks.foreign import keep_what_fools
from natadv.attacks.outcome import Outcome
from natadv.attacks.success import Model
from natadv.batches import to_batch, to_images
from natadv.images import Image

Rain = Callable[[Image, np.random.Generator], Image]
"""Puts rain drawn from a generator on one image, uint8 RGB (h, w, 3)."""


def natural_tries(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    rain: Rain,
    tries: int = 10,
    seed: int = 0,
    batch_size: int = 32,
) -> Outcome:
    """Put rain on each image up to `tries` times, one query each, and keep the first that fools.

    Args:
        model: what is to be fooled; it, `images`, `labels` and `batch_size` are as in
            `natadv.attacks.foreign.keep_what_fools`, which says what they raise.
        images: see there.
        labels: see there.
        rain: what is put on an image.
        tries: on each image.
        seed: of all chance.
        batch_size: see there.

    Raises:
        ValueError: if `tries` is not positive.
    """
    if tries < 1:
        raise ValueError(f"expected tries of at least 1, got {tries}")

    def craft(calls: Counted, clean: Tensor, classes: Tensor) -> Tensor:
        pictures = to_images(clean)
        digests = [int.from_bytes(hashlib.sha256(picture.tobytes()).digest()[:8], "big") for picture in pictures]

        def rained(rows: Tensor, number: int) -> Tensor:
            wet = [rain(pictures[row], np.random.default_rng([seed, digests[row], number])) for row in rows.tolist()]
            return to_batch(np.stack(wet), clean.device)

        return first_that_fools(calls, clean, classes, (partial(rained, number=number) for number in range(tries)))

    with torch.no_grad():
        return keep_what_fools(craft, model, images, labels, epsilon=None, seed=seed, batch_size=batch_size)
