"""A labelled folder of red and blue squares, which a classifier learns in seconds."""

from pathlib import Path

import numpy as np

from natadv.images import write_image

COLOURS = {"red": (200, 40, 40), "blue": (40, 40, 200)}


def write_squares(folder: Path, rng: np.random.Generator, *, train: int, test: int, size: int, noise: int) -> None:
    """Write `train`/`test` images a label, squares on noise of up to `noise`, below train/ and test/ of a folder."""
    box = slice(size // 4, 3 * size // 4)
    for split, count in (("train", train), ("test", test)):
        for label, colour in COLOURS.items():
            (folder / split / label).mkdir(parents=True)
            for index in range(count):
                image = rng.integers(0, noise, (size, size, 3), dtype=np.uint8)
                image[box, box] = colour
                write_image(folder / split / label / f"{index}.png", image)
