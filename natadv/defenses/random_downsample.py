"""Random downsampling: one pixel of each 2 x 2 patch (Du et al. 2021, Algorithm 2, lines 3 to 6).

What is picked comes in as whole numbers, which survive every export and every precision as they are.
"""

import torch
from torch import Generator, Tensor


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


def picked_places(pick: Tensor, size: tuple[int, int]) -> Tensor:
    """Return where each picked pixel stands in its flattened channel, int64, of the shape of `pick`.

    Where a side is odd, its last patches have one row or column: min(2 i + di, h - 1).

    Args:
        pick: (n, k, ceil(h / 2), ceil(w / 2)), 0..3: 2 * row + column within the patch.
        size: (height, width) of the images in pixels.
    """
    h, w = size
    rows = (2 * torch.arange(pick.shape[2], device=pick.device))[:, None]
    columns = 2 * torch.arange(pick.shape[3], device=pick.device)
    # A table rather than division and remainder, which an exporter spells out in a dozen operations; looked up by
    # `index_select`, which it writes as the quickest of three.
    table = torch.tensor([0, 1, w, w + 1], device=pick.device)
    places = rows * w + columns + table.index_select(0, pick.flatten()).view(pick.shape)
    if h % 2:
        places = places - w * ((rows == h - 1) & (pick >= 2))
    if w % 2:
        places = places - ((columns == w - 1) & ((pick == 1) | (pick == 3))).long()
    return places


def take(batch: Tensor, places: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the pixels at `places` of each channel, (n, c, *size); gradients flow back to them alone.

    Args:
        batch: (n, c, h, w).
        places: int64, (n, 1 or c, size[0] * size[1]), in the flattened channel.
        size: (height, width) of what is returned.
    """
    n, c = batch.shape[:2]
    return batch.flatten(2).gather(2, places.expand(n, c, -1)).unflatten(2, size)


def random_downsample(batch: Tensor, pick: Tensor) -> Tensor:
    """Return the picked pixels, (n, c, ceil(h / 2), ceil(w / 2)).

    Args:
        batch: (n, c, h, w).
        pick: (n, 1 or c, ceil(h / 2), ceil(w / 2)), 0..3: 2 * row + column within the patch.

    Raises:
        ValueError: if the two do not go together.
    """
    check_pick(pick, batch)
    places = picked_places(pick, (batch.shape[2], batch.shape[3]))
    return take(batch, places.flatten(2), (pick.shape[2], pick.shape[3]))


def check_pick(pick: Tensor, batch: Tensor) -> None:
    """Refuse a pick that is not of a batch.

    Raises:
        ValueError: if the two do not go together.
    """
    n, c, h, w = batch.shape
    halves = (n, -(-h // 2), -(-w // 2))
    if pick.ndim != 4 or (pick.shape[0], *pick.shape[2:]) != halves or pick.shape[1] not in (1, c):
        raise ValueError(f"expected a pick ({n}, 1 or {c}, {halves[1]}, {halves[2]}), got {tuple(pick.shape)}")
