"""What AdvRD can be combined with: momentum (MIM), input diversity (DIM), translation invariance (TIM).

Liu et al. name the three in Sec. 3.2.4 without saying how they act on a latent code. Momentum acts on the code's own
gradient; the other two concern the image: diversity changes what the classifier sees when the gradient is taken,
translation smooths the gradient where it leaves the classifier, before it goes on through the generator.
"""

import torch
from torch import Tensor
from torch.nn import functional


def accumulate(velocity: Tensor, gradient: Tensor, decay: float) -> Tensor:
    """Return the momentum of codes, decay * velocity + gradient / |gradient|_1, all (n, d).

    Dong et al. 2018, "Boosting Adversarial Attacks with Momentum", Eq. 6. A gradient of zero adds nothing.
    """
    size = gradient.abs().sum(1, keepdim=True)
    return decay * velocity + gradient / size.clamp(min=torch.finfo(gradient.dtype).tiny)


def resize_and_pad(images: Tensor, *, probability: float, rng: torch.Generator, smallest: float = 0.9) -> Tensor:
    """Shrink images at random and put each at a random place on black, with some probability; else leave it.

    Xie et al. 2019, "Improving Transferability of Adversarial Examples with Input Diversity", Sec. 3.3, with bilinear
    sampling, sizes below the model's own, so that its input keeps its size, and chance of its own for each image.

    Args:
        images: (n, 3, h, w).
        probability: of changing an image, 0..1.
        rng: drawn from for every image, changed or not; on the CPU.
        smallest: share of the side that is left at least, above 0 and at most 1.

    Raises:
        ValueError: if a share is out of range.
    """
    if not (0 <= probability <= 1 and 0 < smallest <= 1):
        raise ValueError(f"expected shares within 0..1, got probability {probability} and smallest {smallest}")
    count, _, *full = images.shape
    chance = torch.rand(count, 4, generator=rng, dtype=torch.float64)
    turned = torch.zeros(count, 2, 3, dtype=torch.float64)
    share = smallest + (1 - smallest) * chance[:, 1]
    for axis, side in enumerate(full):
        size = (share * side).round().clamp(1, side)
        offset = (chance[:, 2 + axis] * (side - size + 1)).floor()
        row = 1 - axis  # the grid's coordinates are x, y
        turned[:, row, row] = side / size
        turned[:, row, 2] = (side - 2 * offset) / size - 1
    grid = functional.affine_grid(turned.to(images), list(images.shape), align_corners=False)
    padded = functional.grid_sample(images, grid, padding_mode="zeros", align_corners=False)
    changed = (chance[:, 0] < probability).to(images.device)
    return torch.where(changed[:, None, None, None], padded, images)


def smooth(gradient: Tensor, *, width_px: int = 7) -> Tensor:
    """Return the gradient of images, (n, 3, h, w), convolved with a Gaussian: their mean over shifts, to first order.

    Dong et al. 2019, "Evading Defenses to Transferable Adversarial Examples by Translation-Invariant Attacks", Eq. 7,
    each colour by itself, outside the image zero; the standard deviation is k / sqrt(3) for a width of 2 k + 1.

    Args:
        gradient: (n, 3, h, w).
        width_px: of the kernel, odd; the paper's 15 is for pictures of 299 px, and wider than a small sign.

    Raises:
        ValueError: if the width is not odd and positive, or exceeds the image.
    """
    if width_px < 1 or width_px % 2 == 0 or width_px > min(gradient.shape[2:]):
        height, width = gradient.shape[2:]
        raise ValueError(f"expected an odd width up to that of the {width}x{height} image, got {width_px}")
    reach = width_px // 2
    places = torch.arange(-reach, reach + 1, dtype=gradient.dtype, device=gradient.device)
    kernel = torch.exp(-1.5 * (places / max(reach, 1)) ** 2)
    kernel = (kernel / kernel.sum()).expand(gradient.shape[1], 1, -1)
    channels = gradient.shape[1]
    along = functional.conv2d(gradient, kernel[:, :, None, :], padding=(0, reach), groups=channels)
    return functional.conv2d(along, kernel[:, :, :, None], padding=(reach, 0), groups=channels)
