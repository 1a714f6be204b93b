"""STL-10 in its official binary layout, read by torchvision: `stl10_binary/` below a folder; nothing is downloaded."""

from pathlib import Path

import numpy as np

from natadv.data.dataset import Dataset, Split
from natadv.errors import DataError
from natadv.images import Image

LABELS = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")


def load_stl10(root: Path, split: Split) -> Dataset:
    """Return the 5,000 training or 8,000 test images, 96 x 96 px.

    Args:
        root: holds `stl10_binary/`, as its archive unpacks.
        split: "train" or "test".

    Raises:
        DataError: if it is not there, or its files differ from the official ones.
    """
    from torchvision.datasets import STL10  # noqa: PLC0415  # torch is not needed for other data

    try:
        found = STL10(str(root), split=split, download=False)
    except (RuntimeError, OSError, ValueError) as error:
        raise DataError(
            f"{root}: no whole stl10_binary/ here ({str(error).splitlines()[0]}); unpack "
            "stl10_binary.tar.gz of https://cs.stanford.edu/~acoates/stl10/ in it"
        ) from error
    pictures = found.data.transpose(0, 2, 3, 1)

    def read(index: int) -> Image:
        return np.ascontiguousarray(pictures[index])

    keys = tuple(f"{split}/{index}" for index in range(len(pictures)))
    return Dataset("stl10", split, LABELS, np.asarray(found.labels, np.int64), keys, read)
