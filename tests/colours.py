"""A labelled folder of pictures that are a little red, green or blue, which the tiny classifier tells apart."""

from pathlib import Path

import numpy as np

from natadv.images import write_image
from tests.tiny_classifier import LABELS


def write_colours(folder: Path, *, each: int = 2, lead: int = 12) -> Path:
    """Write `each` noisy pictures a label below train/ and test/, 16 px, one channel `lead` levels brighter."""
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for channel, label in enumerate(reversed(LABELS)):  # RGB: red, green, blue
            (folder / split / label).mkdir(parents=True)
            for index in range(each):
                image = rng.integers(60, 180, (16, 16, 3), dtype=np.uint8)
                image[..., channel] += lead
                write_image(folder / split / label / f"{index}.png", image)
    return folder
