"""A data set of three classes that a small network learns in two epochs."""

from pathlib import Path

import numpy as np

from natadv.images import write_image


def bright_squares(folder: Path, *, per_track: int = 1) -> Path:
    """Write three classes that differ in where the bright square is, named as the sessions of colours name theirs.

    With more than one image a track they are named as GTSRB's frames.
    """
    rng = np.random.default_rng(0)
    for split, count in (("train", 16), ("test", 6)):
        for label, column in (("blue", 1), ("green", 6), ("red", 11)):
            (folder / split / label).mkdir(parents=True)
            for index in range(count):
                image = rng.integers(0, 90, (16, 16, 3), dtype=np.uint8)
                image[5:10, column : column + 4] = rng.integers(150, 255, 3)
                frame = f"{index // per_track:05d}_{index % per_track:05d}" if per_track > 1 else f"{index}"
                write_image(folder / split / label / f"{frame}.png", image)
    return folder
