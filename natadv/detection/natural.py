"""Natural kinds that are there already: images that came from somewhere, not from a bank's sources.

ImageNet-A (Hendrycks et al. 2021) and ImageNet-A-Plus (Li et al. 2021) are folders of images, a sub-folder a WordNet
id. Frames that a camera took are `natadv.campaign.captured`'s, misclassified images `natadv.detection.cross_fit`'s.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timm.data import ImageNetInfo

from natadv.detection.banked import Family
from natadv.detection.kin import Part, parted
from natadv.detection.made import Block, Made
from natadv.detection.sources import Sources
from natadv.errors import DataError
from natadv.images import Image, LabelledFile, labelled_files, read_image, resize
from natadv.training.evaluate import answers
from natadv.training.victim import Victim

_BLOCK, _STREAM = 32, 3
_IMAGENET = 1000


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image that may belong in a bank.

    Attributes:
        source: key of what it is an image of.
        target: the model's class of that.
        read: returns it, uint8 RGB (h, w, 3), of any size.
        said: class that others say; None where the bank's model is to be asked.
    """

    source: str
    target: int
    read: Callable[[], Image]
    said: int | None = None


@dataclass(frozen=True)
class Looked:
    """A maker that looks at images that are there.

    Attributes:
        family: of the kind.
        settings: where they come from.
        sources: the bank's, for their model, names and size.
        candidates: of each part, in order.
        clean: whether images belong in the bank that the model gets right, instead of those that it gets wrong.
    """

    family: Family
    settings: Mapping[str, Any]
    sources: Sources
    candidates: Mapping[Part, Sequence[Candidate]]
    clean: bool = False

    def blocks(self, part: Part) -> Iterator[Block]:
        """Look at the images of a part, 32 at a time.

        Raises:
            DataError: if one cannot be read.
        """
        listed = self.candidates[part]
        for start in range(0, len(listed), _BLOCK):
            yield self._block(listed[start : start + _BLOCK])

    def _block(self, some: Sequence[Candidate]) -> Block:
        sources = self.sources
        size = (sources.size_px, sources.size_px)
        pictures = np.stack([resize(one.read(), size) for one in some])
        asked = answers(sources.victim.model, pictures, torch.device(sources.device), batch_size=_BLOCK)
        made = []
        for one, picture, answer in zip(some, pictures, asked.tolist(), strict=True):
            said = answer if one.said is None else one.said
            if (said == one.target) == self.clean:
                made.append(Made(one.source, sources.names[one.target], sources.names[said], picture))
        return Block(len(some), tuple(made))


def image_folders(folders: Mapping[str, Path], sources: Sources, *, seed: int) -> dict[str, Looked]:
    """Return the makers of kinds whose images lie in folders, a sub-folder a class; kin of all are parted together.

    Args:
        folders: by kind, as "imagenet-a".
        sources: the bank's.
        seed: of the parts and of the order.

    Raises:
        DataError: if one has no images, or the model lacks a class of theirs.
    """
    listed = {name: labelled_files(folder) for name, folder in folders.items()}
    labels = {_key(name, file): file.label for name, files in listed.items() for file in files}
    parts = parted(list(labels), list(labels.values()), seed)
    makers = {}
    for name, files in listed.items():
        known = sorted({file.label for file in files})
        targets = class_targets(sources.victim, sources.names, known, name=str(folders[name]))
        found: dict[Part, list[Candidate]] = {"train": [], "test": []}
        for place in np.random.default_rng([seed, _STREAM]).permutation(len(files)):
            file, key = files[place], _key(name, files[place])
            found[parts[key]].append(Candidate(key, targets[file.label], partial(read_image, file.path)))
        settings = {"folder": folders[name].name, "images": len(files)}
        makers[name] = Looked("natural", settings, sources, found)
    return makers


def _key(name: str, file: LabelledFile) -> str:
    return f"{name}/{file.label}/{file.path.name}"


def class_targets(victim: Victim, names: Sequence[str], labels: Sequence[str], *, name: str) -> dict[str, int]:
    """Return a model's class of each label: by its own names, or by WordNet ids for a model of ImageNet.

    Args:
        victim: the model.
        names: of its classes.
        labels: to be found.
        name: of the images, for messages.

    Raises:
        DataError: if the model lacks one.
    """
    places = {label: place for place, label in enumerate(names)}
    background = victim.classes - _IMAGENET
    if victim.labels is None and background in (0, 1):
        ids = ImageNetInfo("imagenet-1k").label_names()
        places = {wordnet: place + background for place, wordnet in enumerate(ids)} | places
    missing = next((label for label in labels if label not in places), None)
    if missing is not None:
        raise DataError(f"{name}: {missing!r} is no class of the model {victim.name}; leave this kind out")
    return {label: places[label] for label in labels}
