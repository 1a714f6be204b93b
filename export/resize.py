"""Resizing inside the deployed graph, as `natadv.images.resize` does it for training and for our own runtime.

Both ways of it, averaging areas and interpolating, are linear and work on rows and columns apart: a matrix for each,
made of the sizes of the frames at hand, so that one graph takes frames of any size. Other runtimes need not resize
then, and cannot resize otherwise.
"""

import torch
from torch import Tensor, nn


class Resize(nn.Module):
    """Frames of any size to frames of one, rounded to whole levels as the library does."""

    def __init__(self, size: tuple[int, int]) -> None:
        """Resize to (height, width)."""
        super().__init__()
        self._size = size

    def forward(self, frames: Tensor) -> Tensor:
        """Map uint8 RGB (n, H, W, 3) to float RGB (n, 3, h, w) of whole levels 0..255."""
        height, width = self._size
        batch = frames.permute(0, 3, 1, 2).to(torch.float32)
        tall, wide = batch.shape[2], batch.shape[3]
        # The library averages only where both sides shrink.
        shrinks = torch.logical_and(_scalar(tall, frames) >= height, _scalar(wide, frames) >= width)
        rows, columns = (
            _matrix(_scalar(from_px, frames), to_px, torch.arange(from_px, device=frames.device), shrinks)
            for from_px, to_px in ((tall, height), (wide, width))
        )
        return torch.matmul(rows, torch.matmul(batch, columns.T)).round().clamp(0, 255)


def _scalar(value: int, like: Tensor) -> Tensor:
    """Return a size as a tensor, which stays a variable of the graph where the size does."""
    return torch.arange(value, device=like.device)[-1].to(torch.float32) + 1


def _matrix(from_px: Tensor, to_px: int, places: Tensor, shrinks: Tensor) -> Tensor:
    """Return the weights (to_px, from_px) of a side's pixels in the result's."""
    source = places.to(torch.float32)[None, :]
    target = torch.arange(to_px, dtype=torch.float32, device=places.device)[:, None]
    scale = from_px / to_px
    # Averaging: how much of a pixel of the result, as long as `scale`, lies over a pixel of the frame.
    end, begin = torch.minimum(source + 1, (target + 1) * scale), torch.maximum(source, target * scale)
    area = (end - begin).clamp(min=0) / scale
    # Interpolating: between the two nearest centres; beyond the last one there is nothing but it.
    centre = ((target + 0.5) * scale - 0.5).clamp(min=0)
    linear = (1 - (torch.minimum(centre, from_px - 1) - source).abs()).clamp(min=0)
    return torch.where(shrinks, area, linear)
