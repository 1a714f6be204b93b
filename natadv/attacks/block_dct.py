"""The discrete cosine transform of 8x8 blocks, as JPEG takes it, for images of any size.

The transform is the orthonormal one, DCT-II (Ahmed et al. 1974, Eq. 1, as in ITU-T T.81, A.3.3): a block and its
coefficients have the same length, and its transpose undoes it. An image whose sides are no multiples of 8 is extended
by its last row and column, which `images_of` cuts off again.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

SIDE_PX = 8
_MIDDLE = 128.0


def coefficients_of(images: Tensor) -> Tensor:
    """Return the coefficients of images' blocks, each channel apart.

    Args:
        images: (n, c, h, w), in levels of 0 to 255; 128 is taken off first, as JPEG does.

    Returns:
        (n, c, ceil(h / 8), ceil(w / 8), 8, 8), in levels; [..., 0, 0] is 8 times a block's mean, and vertical and
        horizontal frequency grow along the last two.

    Raises:
        ValueError: if the images are not of that shape, or are empty.
    """
    if images.ndim != 4 or 0 in images.shape[-2:]:
        raise ValueError(f"expected images (n, c, h, w), got {tuple(images.shape)}")
    height, width = images.shape[-2:]
    whole = pad(images - _MIDDLE, (0, -width % SIDE_PX, 0, -height % SIDE_PX), mode="replicate")
    blocks = whole.unfold(2, SIDE_PX, SIDE_PX).unfold(3, SIDE_PX, SIDE_PX)
    waves = _waves(images)
    return waves @ blocks @ waves.T


def images_of(coefficients: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the images, (n, c, h, w), in levels, that coefficients of `coefficients_of` are of.

    Args:
        coefficients: (n, c, ceil(h / 8), ceil(w / 8), 8, 8).
        size: (h, w) in pixels.

    Raises:
        ValueError: if images of that size have another number of blocks.
    """
    rows, columns = (math.ceil(side / SIDE_PX) for side in size)
    if coefficients.ndim != 6 or coefficients.shape[2:] != (rows, columns, SIDE_PX, SIDE_PX):
        raise ValueError(f"expected (n, c, {rows}, {columns}, 8, 8), got {tuple(coefficients.shape)}")
    waves = _waves(coefficients)
    blocks = waves.T @ coefficients @ waves
    whole = blocks.transpose(3, 4).flatten(4, 5).flatten(2, 3)
    return whole[:, :, : size[0], : size[1]] + _MIDDLE


def _waves(like: Tensor) -> Tensor:
    """Return the orthonormal cosines, (8, 8), one a row, on the device and in the dtype of `like`."""
    place = torch.arange(SIDE_PX, dtype=torch.float64)
    waves = torch.cos((place + 0.5) * place[:, None] * math.pi / SIDE_PX) * math.sqrt(2 / SIDE_PX)
    waves[0] /= math.sqrt(2)
    return waves.to(like)
