"""Planted: a poisoned data set as an ordinary image folder, with papers that say what was done and undo it.

OUT/train/LABEL/NNNNN.png and OUT/test/LABEL/NNNNN.png are read by whatever reads image folders; OUT/poison.json is
`natadv.data.poison_papers`. All images are of one size, so that size tells nothing. OUT/origins.json says what the test
images were copied from, so that frames of one sign are known as such; of training images that would tell the poison.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from natadv.backdoors.poison import Poisoning
from natadv.data.dataset import Dataset
from natadv.data.load import load_dataset
from natadv.data.origins import ORIGINS, write_origins
from natadv.data.poison_papers import PAPERS, Papers, PoisonedImage, read_papers
from natadv.durable import new_folder
from natadv.errors import ConfigError, DataError
from natadv.images import read_image, resize, write_image

Progress = Callable[[int, int], None]


def subset_of_classes(dataset: Dataset, labels: tuple[str, ...] | None) -> Dataset:
    """Return the images of some classes alone, numbered in that order; None leaves all.

    Raises:
        ConfigError: if there is no such class, or one is named twice.
    """
    if labels is None:
        return dataset
    for label in labels:
        if label not in dataset.labels:
            raise ConfigError(
                f"class {label!r}: {dataset.name} has none; there are {', '.join(dataset.labels[:8])}, ..."
            )
    if len(set(labels)) < len(labels):
        raise ConfigError(f"classes {', '.join(labels)}: one is named twice")
    new = np.full(len(dataset.labels), -1)
    new[[dataset.labels.index(label) for label in labels]] = np.arange(len(labels))
    kept = dataset.subset(np.flatnonzero(new[dataset.targets] >= 0))
    return replace(kept, labels=labels, targets=new[kept.targets])


def plant(
    data: str,
    out: Path,
    poisoning: Callable[[tuple[str, ...]], Poisoning],
    *,
    size_px: int,
    classes: tuple[str, ...] | None = None,
    root: Path = Path("data"),
    progress: Progress = lambda _done, _total: None,
) -> Papers:
    """Write a poisoned copy of a data set.

    Args:
        data: as `load_dataset` takes it.
        out: new folder; it appears when all is written.
        poisoning: what is done, by the labels.
        size_px: side of all images.
        classes: these alone; None for all.
        root: where named data sets lie unpacked.
        progress: called with images written, and in all.

    Raises:
        ConfigError: if the folder exists, or there are no such data or classes.
        DataError: if an image cannot be read or written.
        ResourceError: if the disk is full.
    """
    if out.exists():
        raise ConfigError(f"{out}: exists already; take another folder")
    train, test = (subset_of_classes(load_dataset(data, split, root=root), classes) for split in ("train", "test"))
    plan = poisoning(train.labels)
    chosen = set(plan.chosen(len(train)).tolist())
    total, done = len(train) + len(test), 0
    target = train.labels[plan.target]
    poisoned, origins = [], {}
    with new_folder(out) as folder:
        for dataset in (train, test):
            for number in range(len(dataset)):
                image = resize(dataset.read(number), (size_px, size_px))
                label = dataset.labels[dataset.targets[number]]
                place = Path(dataset.split) / label / f"{number:05d}.png"
                if dataset.split == "test":
                    origins[place.as_posix()] = dataset.origins[number]
                if dataset.split == "train" and number in chosen:
                    place = Path(dataset.split) / target / f"{number:05d}.png"
                    clean, image = image, plan.triggered(image, number)
                    poisoned.append(
                        PoisonedImage(
                            path=place.as_posix(),
                            label=label,
                            key=dataset.keys[number],
                            clean_sha256=_digest(clean),
                            poisoned_sha256=_digest(image),
                        )
                    )
                (folder / place).parent.mkdir(parents=True, exist_ok=True)
                write_image(folder / place, image)
                done += 1
                progress(done, total)
        write_origins(folder, origins)
        papers = Papers(
            data=data,
            root=str(root),
            target=target,
            size_px=size_px,
            settings=json.loads(json.dumps(plan.settings)),  # as they are read back
            images=len(train),
            poisoned=tuple(poisoned),
        )
        (folder / PAPERS).write_text(papers.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return papers


def audit(folder: Path) -> list[str]:
    """Compare a planted folder with its papers; return what differs, in words, nothing where all is as they say.

    Raises:
        DataError: if the papers are missing or damaged, or an image cannot be read.
    """
    papers = read_papers(folder)
    wrong = []
    for one in papers.poisoned:
        path = folder / one.path
        if not path.is_file():
            wrong.append(f"{one.path}: gone")
        elif _digest(read_image(path)) != one.poisoned_sha256:
            wrong.append(f"{one.path}: other pixels than its papers say")
    return wrong


def undo(folder: Path, out: Path, *, root: Path | None = None) -> int:
    """Write what the training part of a planted folder was before, into a new folder; return how many were put right.

    The other images, the test part, and what that was copied from, are copied as they are.

    Args:
        folder: planted.
        out: new folder.
        root: where named data sets lie now; None for where they lay.

    Raises:
        ConfigError: if `out` exists.
        DataError: if the papers or the data they name are missing, or those have other pixels than then.
        ResourceError: if the disk is full.
    """
    if out.exists():
        raise ConfigError(f"{out}: exists already; take another folder")
    papers = read_papers(folder)
    source = load_dataset(papers.data, "train", root=root or Path(papers.root))
    places = {key: number for number, key in enumerate(source.keys)}
    poisoned = {one.path: one for one in papers.poisoned}
    with new_folder(out) as clean:
        for path in sorted(folder.glob("*/*/*.png")):
            name = path.relative_to(folder)
            one = poisoned.get(name.as_posix())
            if one is None:
                image = read_image(path)
            else:
                if one.key not in places:
                    raise DataError(f"{papers.data}: has no image {one.key} any more; nothing can be put back")
                image = resize(source.read(places[one.key]), (papers.size_px, papers.size_px))
                if _digest(image) != one.clean_sha256:
                    raise DataError(f"{papers.data}: its image {one.key} is another than when it was poisoned")
                name = Path(name.parts[0]) / one.label / name.name
            (clean / name).parent.mkdir(parents=True, exist_ok=True)
            write_image(clean / name, image)
        if (folder / ORIGINS).is_file():  # older folders have none
            shutil.copyfile(folder / ORIGINS, clean / ORIGINS)
    return len(poisoned)


def _digest(image: NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()
