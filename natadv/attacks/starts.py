"""Natural codes to start from, the same for an image whatever else is attacked, and by whom."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def natural_codes(numbers: NDArray[np.int64], restarts: int, latent_dim: int, *, seed: int) -> Tensor:
    """Return codes from N(0, I), float32 (n, restarts, latent_dim).

    An image's codes follow from `seed` and its number alone, and its first k codes are the same for any number of
    restarts: success rates of two models, or of two budgets, compare like with like.

    Args:
        numbers: of the images in their dataset, (n,).
        restarts: codes an image.
        latent_dim: length of a code.
        seed: of all of them, 0 or more.
    """
    codes = np.empty((len(numbers), restarts, latent_dim), np.float32)
    for place, number in enumerate(numbers):
        np.random.default_rng([seed, int(number)]).standard_normal(out=codes[place], dtype=np.float32)
    return torch.from_numpy(codes)
