"""Sources: the images of a labelled set that a model gets right, at one size and in eight bits, in two parts.

Whatever a bank holds of the set, clean or attacked, begins here: decoded, resized and rounded once, in one way.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from natadv.batches import to_images
from natadv.data.dataset import Dataset
from natadv.data.draw import draw
from natadv.data.load import load_dataset
from natadv.detection.kin import Part, parted
from natadv.errors import ConfigError
from natadv.training.trial import try_model
from natadv.training.victim import Victim, label_of

_STREAM = 2


@dataclass(frozen=True)
class Sources:
    """Images of a set that a model gets right.

    Attributes:
        victim: the model.
        device: where it computes.
        size_px: side of the images.
        images: uint8 RGB, (n, size_px, size_px, 3).
        targets: the model's class of each, int64, (n,).
        names: of the classes, as papers have them.
        keys: of the images, as SPLIT/NAME.
        order: of each part, places in `images` in the order in which all kinds take them.
        whole: all images of the set, those that the model gets wrong too.
        parts: of all of them, by key.
    """

    victim: Victim
    device: str
    size_px: int
    images: NDArray[np.uint8]
    targets: NDArray[np.int64]
    names: tuple[str, ...]
    keys: tuple[str, ...]
    order: dict[Part, NDArray[np.int64]]
    whole: Dataset
    parts: dict[str, Part]

    def key(self, number: int) -> str:
        """Return the key of an image of the whole set."""
        return source_key(self.whole, number)


def source_key(dataset: Dataset, number: int) -> str:
    """Return what papers call an image of a set: SPLIT/NAME, as names of the two splits may be the same."""
    return f"{dataset.split}/{dataset.keys[number]}"


def parts_of(dataset: Dataset, seed: int) -> dict[str, Part]:
    """Return the part of each image of a set, by key."""
    keys = [source_key(dataset, number) for number in range(len(dataset))]
    return parted(keys, [dataset.labels[target] for target in dataset.targets], seed)


def open_sources(
    victim: Victim,
    data: str,
    *,
    split: str = "test",
    root: Path = Path("data"),
    size_px: int | None = None,
    pool: int | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> Sources:
    """Read what a model gets right.

    Args:
        victim: on `device`.
        data: a dataset's name or a folder.
        split: "train" or "test".
        root: where named datasets lie unpacked.
        size_px: side of the images; the model's own by default.
        pool: look at so many images, drawn; None looks at all.
        seed: of the parts, of their order, and of what is drawn.
        device: where the model computes.

    Raises:
        ConfigError: if the model's images are not square and no size is given, or there are not so many images.
        DataError: if the data cannot be read, their classes are not the model's, or it gets none right.
    """
    height, width = victim.input_size
    if size_px is None and height != width:
        raise ConfigError(f"{victim.name}: its images are {width}x{height} px, a bank's are square; give --size")
    size = size_px or height
    whole = load_dataset(data, split, root=root)
    trial = try_model(victim, draw(whole, count=pool, seed=seed), size=(size, size), device=device)
    keys = tuple(source_key(whole, int(number)) for number in trial.numbers)
    names = tuple(label_of(victim, whole, index) for index in range(victim.classes))
    parts = parts_of(whole, seed)
    shuffled = np.random.default_rng([seed, _STREAM]).permutation(len(keys))
    order: dict[Part, NDArray[np.int64]] = {
        part: np.array([place for place in shuffled if parts[keys[place]] == part], np.int64)
        for part in ("train", "test")
    }
    return Sources(
        victim=victim,
        device=device,
        size_px=size,
        images=to_images(trial.images),
        targets=trial.labels.cpu().numpy(),
        names=names,
        keys=keys,
        order=order,
        whole=whole,
        parts=parts,
    )
