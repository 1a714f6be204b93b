"""CIFAR-10 in its official python layout, read by torchvision: `cifar-10-batches-py/` below a folder; no download."""

from pathlib import Path

import numpy as np

from natadv.data.dataset import Dataset, Split
from natadv.errors import DataError
from natadv.images import Image

LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def load_cifar10(root: Path, split: Split) -> Dataset:
    """Return the 50,000 training or 10,000 test images, 32 x 32 px.

    Args:
        root: holds `cifar-10-batches-py/`, as its archive unpacks.
        split: "train" or "test".

    Raises:
        DataError: if it is not there, or its files differ from the official ones.
    """
    from torchvision.datasets import CIFAR10  # noqa: PLC0415  # torch is not needed for other data

    try:
        found = CIFAR10(str(root), train=split == "train", download=False)
    except (RuntimeError, OSError, ValueError) as error:
        raise DataError(
            f"{root}: no whole cifar-10-batches-py/ here ({str(error).splitlines()[0]}); unpack "
            "cifar-10-python.tar.gz of https://www.cs.toronto.edu/~kriz/cifar.html in it"
        ) from error
    pictures = found.data

    def read(index: int) -> Image:
        return np.ascontiguousarray(pictures[index])

    keys = tuple(f"{split}/{index}" for index in range(len(pictures)))
    return Dataset("cifar10", split, LABELS, np.asarray(found.targets, np.int64), keys, read)
