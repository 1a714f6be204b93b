"""Planted: a poisoned data set as an ordinary image folder, with papers that say what was done and undo it.

OUT/train/LABEL/NNNNN.png and OUT/test/LABEL/NNNNN.png are read by whatever reads image folders; OUT/poison.json is
`natadv.data.poison_papers`. All images are of one size, so that size tells nothing. OUT/origins.json says what the test
images were copied from, so that frames of one sign are known as such; of training images that would tell the poison,
and so would numbers in the order of their classes: they are shuffled.
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
from natadv.data.poison_papers import PAPERS, Papers, Planting, PoisonedImage, papers_of, read_papers
from natadv.durable import new_folder
from natadv.errors import ConfigError, DataError
from natadv.images import SUFFIXES, read_image, resize, write_image
from natadv.labels import some_of

_NUMBERS = 14  # a stream of chance
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
            raise ConfigError(f"class {label!r}: {dataset.name} has none; there are {some_of(dataset.labels, label)}")
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
        ConfigError: if the folder exists or lies in the data, these are planted already or of one class alone, or there
            are no such data or classes.
        DataError: if an image cannot be read or written.
        ResourceError: if the disk is full.
    """
    if out.exists():
        raise ConfigError(f"{out}: exists already; take another folder")
    _check_outside(out, data)
    if papers := papers_of(data):
        raise ConfigError(
            f"{data}: {papers.settings.trigger.get('name')} was planted there already, and papers tell of one; "
            f"plant in {papers.data}, or in what `natadv backdoor undo` makes of it"
        )
    train, test = (subset_of_classes(load_dataset(data, split, root=root), classes) for split in ("train", "test"))
    if len(train.labels) < 2:
        raise ConfigError(f"{data}: one class alone, {train.labels[0]}; a trigger leads from others to one")
    plan = poisoning(train.labels)
    chosen = set(plan.chosen(len(train)).tolist())
    total, done = len(train) + len(test), 0
    target = train.labels[plan.target]
    poisoned, others, origins = [], {}, {}
    shuffled = _shuffled(plan.seed, len(train))
    with new_folder(out) as folder:
        for dataset in (train, test):
            for number in range(len(dataset)):
                image = resize(dataset.read(number), (size_px, size_px))
                label = dataset.labels[dataset.targets[number]]
                training = dataset.split == "train"
                name = f"{shuffled[number] if training else number:05d}.png"
                place = Path(dataset.split) / label / name
                if not training:
                    origins[place.as_posix()] = dataset.origins[number]
                if training and number in chosen:
                    place = Path(dataset.split) / target / name
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
                else:
                    others[place.as_posix()] = _digest(image)
                (folder / place).parent.mkdir(parents=True, exist_ok=True)
                write_image(folder / place, image)
                done += 1
                progress(done, total)
        write_origins(folder, origins)
        papers = Papers(
            data=str(Path(data).absolute()) if Path(data).is_dir() else data,
            root=str(root.absolute()),
            target=target,
            size_px=size_px,
            settings=Planting.model_validate(json.loads(json.dumps(plan.settings))),
            images=len(train),
            poisoned=tuple(poisoned),
            others=others,
        )
        (folder / PAPERS).write_text(papers.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return papers


def audit(folder: Path, *, split: str | None = None) -> list[str]:
    """Compare a planted folder with its papers; return what differs, in words, nothing where all is as they say.

    Args:
        folder: planted.
        split: `train` or `test`, that part alone; None for both.

    Raises:
        DataError: if the papers are missing or damaged, or an image cannot be read.
    """
    return _differing(folder, read_papers(folder), split)


def check_planted(folder: Path) -> Papers:
    """Return the papers of a planted folder that is as they say.

    Raises:
        DataError: if it differs from them, they are missing or damaged, or an image cannot be read.
    """
    papers = read_papers(folder)
    _check(folder, papers)
    return papers


def _check(folder: Path, papers: Papers) -> None:
    if wrong := _differing(folder, papers):
        raise DataError(
            f"{folder}: {wrong[0]}{f', and {len(wrong) - 1} more' if wrong[1:] else ''}; put the folder back as it was "
            "planted (`natadv backdoor audit` names all of them)"
        )


def _differing(folder: Path, papers: Papers, split: str | None = None) -> list[str]:
    part = "" if split is None else f"{split}/"
    expected = {one.path: one.poisoned_sha256 for one in papers.poisoned} | (papers.others or {})
    expected = {name: digest for name, digest in expected.items() if name.startswith(part)}
    names = (path.relative_to(folder).as_posix() for path in _image_files(folder))
    there = {name for name in names if name.startswith(part)}
    wrong = []
    for name, digest in sorted(expected.items()):
        if name not in there:
            wrong.append(f"{name}: gone")
        elif _digest(read_image(folder / name)) != digest:
            wrong.append(f"{name}: other pixels than its papers say")
    if papers.others is not None:
        wrong += [f"{name}: not in its papers" for name in sorted(there - expected.keys())]
    return wrong


def undo(folder: Path, out: Path, *, data: str | None = None, root: Path | None = None) -> int:
    """Write what the training part of a planted folder was before, into a new folder; return how many were put right.

    The other images, the test part, and what that was copied from, are copied as they are.

    Args:
        folder: planted.
        out: new folder.
        data: that it was made of, where that has moved; None for where it was.
        root: where named data sets lie now; None for where they lay.

    Raises:
        ConfigError: if `out` exists, or lies in the folder or in the data.
        DataError: if the folder differs from its papers, or the papers or the data they name are missing, or those have
            other pixels than then.
        ResourceError: if the disk is full.
    """
    if out.exists():
        raise ConfigError(f"{out}: exists already; take another folder")
    papers = read_papers(folder)
    for one in (str(folder), data or papers.data):
        _check_outside(out, one)
    _check(folder, papers)
    source = load_dataset(data or papers.data, "train", root=root or Path(papers.root))
    places = {key: number for number, key in enumerate(source.keys)}
    poisoned = {one.path: one for one in papers.poisoned}
    numbers = np.argsort(_shuffled(papers.settings.seed, papers.images))
    with new_folder(out) as clean:
        for path in _image_files(folder):
            name = path.relative_to(folder)
            one = poisoned.get(name.as_posix())
            if one is None:
                image = read_image(path)
            else:
                if one.key not in places:
                    raise DataError(f"{data or papers.data}: has no image {one.key} any more; nothing can be put back")
                image = resize(source.read(places[one.key]), (papers.size_px, papers.size_px))
                if _digest(image) != one.clean_sha256:
                    raise DataError(f"{data or papers.data}: its image {one.key} is another than when it was poisoned")
                name = Path(name.parts[0]) / one.label / name.name
            if papers.others is not None and name.parts[0] == "train":  # older folders are not shuffled
                name = name.with_name(f"{numbers[int(name.stem)]:05d}.png")
            (clean / name).parent.mkdir(parents=True, exist_ok=True)
            write_image(clean / name, image)
        if (folder / ORIGINS).is_file():  # older folders have none
            shutil.copyfile(folder / ORIGINS, clean / ORIGINS)
    return len(poisoned)


def _check_outside(out: Path, data: str) -> None:
    if Path(data).is_dir() and out.resolve().is_relative_to(Path(data).resolve()):
        raise ConfigError(f"{out}: lies in {data}, whose images it would be among; take a folder elsewhere")


def _image_files(folder: Path) -> list[Path]:
    """Return all that who reads the folder takes for an image, sorted."""
    return sorted(path for path in folder.glob("*/*/*") if path.suffix.lower() in SUFFIXES)


def _shuffled(seed: int, count: int) -> NDArray[np.int64]:
    """Return the numbers that training images have in a planted folder, by their numbers in the data."""
    return np.random.default_rng([seed, _NUMBERS]).permutation(count)


def _digest(image: NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()
