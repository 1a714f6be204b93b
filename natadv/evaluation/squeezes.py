"""What denoises an image before a classifier sees it: JPEG, fewer bits, wavelets. Does an attack survive it?

JPEG of quality 30 and six bits a channel are usual (Guo et al. 2018; Xu et al. 2018); BayesShrink is that of pixel
deflection.
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from natadv.batches import to_images
from natadv.images import Image


def jpeg(image: Image, quality: int = 30) -> Image:
    """Return an image, uint8 RGB (h, w, 3), after JPEG of a quality of 1 to 100."""
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def fewer_bits(image: Image, bits: int = 6) -> Image:
    """Return an image whose channels have 2^bits evenly spaced levels."""
    most = 2**bits - 1
    return np.asarray(np.round(np.round(image / 255 * most) / most * 255), np.uint8)


def wavelets(image: Image, sigma: float = 0.04) -> Image:
    """Return an image whose wavelet coefficients were shrunk by BayesShrink for noise of `sigma`, in 0..1."""
    from skimage.restoration import denoise_wavelet  # noqa: PLC0415  # an extra

    shrunk: NDArray[np.float64] = denoise_wavelet(
        image / 255, sigma=sigma, mode="soft", method="BayesShrink", convert2ycbcr=True, channel_axis=-1
    )
    return np.asarray((np.clip(shrunk, 0, 1) * 255).round(), np.uint8)


SQUEEZES: Mapping[str, Callable[[Image], Image]] = {
    "none": lambda image: image,
    "JPEG 30": jpeg,
    "6 bits": fewer_bits,
    "wavelets": wavelets,
}
"""By the names that tables have."""


def squeezed(images: Tensor, squeeze: Callable[[Image], Image]) -> Tensor:
    """Return a batch of 8-bit images, (n, 3, h, w), RGB in [0, 1], each squeezed."""
    made = np.stack([squeeze(image) for image in to_images(images)])
    return torch.from_numpy(made).permute(0, 3, 1, 2).to(images) / 255
