"""Random small circular shift (RdmSCS): what leaves at one edge comes in at the other (Du et al. 2021, Algorithm 1).

So every pixel stays, and with them all statistics of a picture but those of place. One shift an image: drawn anew for
each pixel, as the paper's loop may be read, it would tear the picture apart.
"""

import torch
from torch import Generator, Tensor


def draw_shift(
    images: int, size: tuple[int, int], share: float, generator: Generator, *, device: torch.device | str = "cpu"
) -> Tensor:
    """Draw shifts in whole pixels, int32, (images, 2): up and left, each up to `share` of its side, either way.

    Each the whole number nearest to one of the paper's U(-h p, h p); a reach of less than half a pixel shifts nothing.

    Args:
        images: how many.
        size: (height, width) of what is shifted, in pixels.
        share: p, 0 to below 1.
        generator: on the CPU.
        device: where to put the numbers.

    Raises:
        ValueError: if `share` is not from 0 to below 1.
    """
    if not 0 <= share < 1:
        raise ValueError(f"expected a share from 0 to below 1, got {share}")
    reach = torch.tensor(size, dtype=torch.float64) * share
    drawn = 2 * torch.rand(images, 2, generator=generator, dtype=torch.float64) - 1
    return (drawn * reach).round().to(device, torch.int32)


def circular_shift(batch: Tensor, shift: Tensor) -> Tensor:
    """Return x'(i, j) = x((i + dh) mod h, (j + dw) mod w) of each image.

    Args:
        batch: (n, c, h, w).
        shift: whole numbers, (n, 2): dh and dw of each.

    Raises:
        ValueError: if there is not one shift an image.
    """
    n, c, h, w = batch.shape
    check_shift(shift, batch)
    return batch.flatten(2).gather(2, shifted_places(shift, (h, w)).expand(n, c, -1)).unflatten(2, (h, w))


def check_shift(shift: Tensor, batch: Tensor) -> None:
    """Refuse shifts that are not of a batch.

    Raises:
        ValueError: if there is not one shift an image.
    """
    n = batch.shape[0]  # `len` would be a constant to an exporter, and the graph one of so many images
    if tuple(shift.shape) != (n, 2):
        raise ValueError(f"expected shifts ({n}, 2), got {tuple(shift.shape)}")


def shifted_places(shift: Tensor, size: tuple[int, int], *, margin: int = 0) -> Tensor:
    """Return where each pixel of a shifted picture stood, int64, (n, 1, (h + 2 margin) * (w + 2 margin)), flattened.

    Args:
        shift: whole numbers, (n, 2): dh and dw of each.
        size: (height, width) of the picture in pixels.
        margin: pixels that are added around the shifted picture and repeat its edge.
    """
    h, w = size
    rows = torch.arange(-margin, h + margin, device=shift.device).clamp(0, h - 1).repeat_interleave(w + 2 * margin)
    columns = torch.arange(-margin, w + margin, device=shift.device).clamp(0, w - 1).repeat(h + 2 * margin)
    up, left = shift.long()[:, :, None].split(1, 1)
    return (rows + up).remainder(h) * w + (columns + left).remainder(w)
