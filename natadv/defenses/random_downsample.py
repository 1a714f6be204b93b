"""Random downsampling: one pixel of each 2 x 2 patch (Du et al. 2021, Algorithm 2, lines 3 to 6).

What is picked comes in as whole numbers, which survive every export and every precision as they are.
"""

import torch
from torch import Generator, Tensor
from torch.nn.functional import pad


def draw_pick(
    images: int, size: tuple[int, int], generator: Generator, *, channels: int = 1, device: torch.device | str = "cpu"
) -> Tensor:
    """Draw which pixel each patch keeps: int32, (images, channels, ceil(h / 2), ceil(w / 2)), 0..3, each as likely.

    Args:
        images: how many.
        size: (height, width) of the images in pixels.
        generator: on the CPU; so a seed means the same on every device.
        channels: 1 picks the same pixel of all channels, as Algorithm 2 does; 3 one for each, as the authors' code.
        device: where to put the numbers.
    """
    shape = (images, channels, -(-size[0] // 2), -(-size[1] // 2))
    return torch.randint(0, 4, shape, generator=generator, dtype=torch.int32).to(device)


def random_downsample(batch: Tensor, pick: Tensor) -> Tensor:
    """Return the picked pixels, (n, c, ceil(h / 2), ceil(w / 2)).

    Where a side is odd, its last patches repeat their only row or column, as min(2 i + di, h - 1) says.

    Args:
        batch: (n, c, h, w).
        pick: (n, 1 or c, ceil(h / 2), ceil(w / 2)), 0..3: 2 * row + column within the patch.

    Raises:
        ValueError: if the two do not go together.
    """
    n, c, h, w = batch.shape
    halves = (n, -(-h // 2), -(-w // 2))
    if pick.ndim != 4 or (pick.shape[0], *pick.shape[2:]) != halves or pick.shape[1] not in (1, c):
        raise ValueError(f"expected a pick ({n}, 1 or {c}, {halves[1]}, {halves[2]}), got {tuple(pick.shape)}")
    if h % 2 or w % 2:
        batch = pad(batch, (0, w % 2, 0, h % 2), mode="replicate")
    corners = (batch[..., row::2, column::2] for row in (0, 1) for column in (0, 1))
    picked = next(corners)
    for number, corner in enumerate(corners, start=1):
        picked = torch.where(pick == number, corner, picked)
    return picked
