"""Sample grids: what a generator makes now, beside the clean picture and a raindrop image of the same kind."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from natadv.batches import to_batch, to_images
from natadv.images import Image
from natadv.models.generator import Generator

CAPTION_PX = 16
"""Height of the line above a grid that says what its columns are."""


@torch.no_grad()
def sample_grid(
    generator: Generator, clean: NDArray[np.uint8], rain: NDArray[np.uint8], codes: Tensor, device: torch.device
) -> Image:
    """Return a picture: a row for each clean image, with its raindrop image and one column for each code, captioned.

    Args:
        generator: in eval mode, on the device.
        clean: uint8 RGB, (n, h, w, 3).
        rain: raindrop images of the same kind, (n, h, w, 3).
        codes: (k, d), the same for all rows.
        device: where the generator is.
    """
    rows = []
    for image, wet in zip(clean, rain, strict=True):
        batch = to_batch(np.repeat(image[None], len(codes), 0), device)
        made = to_images(generator(batch, codes.to(device)).clamp(0, 1))
        rows.append(np.concatenate([image, wet, *made], 1))
    names = ("clean", "rain", *(f"code {number + 1}" for number in range(len(codes))))
    return np.concatenate([_captions(names, clean.shape[2]), *rows], 0)


def _captions(names: Sequence[str], width_px: int) -> Image:
    """Return a line of white paper with a name at the left of each column."""
    line = np.full((CAPTION_PX, width_px * len(names), 3), 255, np.uint8)
    for column, name in enumerate(names):
        place = (column * width_px + 2, CAPTION_PX - 5)
        cv2.putText(line, name, place, cv2.FONT_HERSHEY_SIMPLEX, 0.36, (40, 40, 40), 1, cv2.LINE_AA)
    return line


@torch.no_grad()
def diversity(generator: Generator, clean: NDArray[np.uint8], codes: Tensor, device: torch.device) -> float:
    """Return the mean |difference| between two codes' images of one picture, over the mean |change| by one code.

    0 if z is ignored; two independent layouts that never overlap give 2. Measured in eval mode, because batch
    normalisation has hidden a dead generator before.
    """
    batch = to_batch(clean, device)
    first = codes[: len(batch)].to(device)
    here, there = generator(batch, first), generator(batch, first.roll(1, 0))
    change = (here - batch).abs().mean()
    return float((here - there).abs().mean() / change.clamp(min=1e-6))
