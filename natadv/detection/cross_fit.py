"""Naturally misclassified images: those that several models get wrong that did not learn from them.

ImageNet-A was made so (Hendrycks et al. 2021, Sec. 3): photographs that a trained network errs on. Where a set has no
images to spare, its kin are dealt out to folds, and each fold is looked at by models that learnt from the others: an
image is found if all of them err, each of which is right elsewhere, as its accuracy on the fold says.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from natadv.data.dataset import SPLITS, Dataset
from natadv.data.load import load_dataset
from natadv.detection.kin import Part, dealt_out
from natadv.detection.natural import Candidate, Looked, class_targets
from natadv.detection.sources import Sources, parts_of, source_key
from natadv.durable import PART_SUFFIX, file_error, replace_file, sync
from natadv.errors import ConfigError, DataError
from natadv.training.checkpoint import load_classifier
from natadv.training.classifier import CHECKPOINT, Reporter, train_classifier
from natadv.training.device import choose_device
from natadv.training.evaluate import answers
from natadv.training.materials import materials_of
from natadv.training.progress import silent
from natadv.training.recipe import Recipe

PAPERS = "misclassified.json"
_STREAM = 4


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Model(_Record):
    """One of the models.

    Attributes:
        fold: that it looked at and did not learn from.
        accuracy: there, 0..1.
    """

    fold: Annotated[int, Field(ge=0)]
    seed: int
    checkpoint_sha256: str
    accuracy: float


class Misclassified(_Record):
    """An image that all models of its fold get wrong.

    Attributes:
        source: SPLIT/NAME in the data.
        said: each model's answer, in their order.
    """

    source: str
    label: str
    said: tuple[str, ...]


class ScanPapers(_Record):
    """What `misclassified.json` says.

    Attributes:
        looked_at: images of the data, each by the models of its fold.
        recipe: that all models were trained by, but for their seeds.
    """

    format: Literal["natadv-misclassified/1"] = "natadv-misclassified/1"
    data: str
    folds: int
    recipe: dict[str, Any]
    looked_at: int
    models: tuple[Model, ...]
    images: tuple[Misclassified, ...]


def cross_fit(
    recipe: Recipe,
    out: Path,
    *,
    folds: int = 2,
    models: int = 3,
    reporter: Reporter = silent,
    said: Callable[[str], None] = lambda line: None,
) -> ScanPapers:
    """Train models on all folds but one, look at that one, for each fold; write what all of them get wrong.

    Until it is done it is OUT.part; stopped, the same call goes on after the last whole epoch.

    Args:
        recipe: of each model; its seed is that of the folds too.
        out: new folder, of the models and of `misclassified.json`.
        folds: into which the images of both splits are dealt, kin together.
        models: for each fold, which differ by their seeds.
        reporter: gives a place to report each training to.
        said: told a line for each model.

    Raises:
        ConfigError: if the folder exists, or there are too few folds or models.
        DataError: if the data cannot be read, or their splits have different labels.
        ResourceError: if the disk is full.
    """
    if out.exists():
        raise ConfigError(f"{out}: exists already; take another folder")
    if folds < 2 or models < 2:
        raise ConfigError(f"--folds {folds}, --models {models}: expected two or more of each")
    train, test = (load_dataset(recipe.data, split, root=Path(recipe.root)) for split in SPLITS)
    whole = _joined(train, test)
    labels = [whole.labels[target] for target in whole.targets]
    dealt = dealt_out(whole.keys, labels, folds, recipe.seed)
    fold_of = np.array([dealt[key] for key in whole.keys])
    device = torch.device(choose_device(recipe.device))
    part = out.with_name(out.name + PART_SUFFIX)
    papers: list[Model] = []
    predicted = np.full((models, len(whole)), -1, np.int64)
    for fold in range(folds):
        inside, outside = (np.flatnonzero(where) for where in (fold_of == fold, fold_of != fold))
        held = whole.subset(inside)
        if not len(inside) or not len(outside):
            raise ConfigError(f"--folds {folds}: the data have too few kinds of things for so many")
        images = held.images((recipe.size_px, recipe.size_px))
        for number in range(models):
            mine = recipe.model_copy(update={"seed": recipe.seed + 1 + fold * models + number})
            folder = part / f"fold-{fold}-model-{number}"
            gathered = partial(materials_of, train=whole.subset(outside), test=held)
            train_classifier(mine, folder, resume=True, reporter=reporter, gathered=gathered)
            loaded = load_classifier(folder / CHECKPOINT)
            found = answers(loaded.model.to(device), images, device)
            predicted[number, inside] = found
            accuracy = float((found == held.targets).mean())
            papers.append(Model(fold=fold, seed=mine.seed, checkpoint_sha256=loaded.digest, accuracy=accuracy))
            said(f"fold {fold + 1}/{folds}, model {number + 1}/{models}: {100 * accuracy:.1f} % right")
    result = ScanPapers(
        data=recipe.data,
        folds=folds,
        recipe=recipe.model_dump(mode="json"),
        looked_at=len(whole),
        models=tuple(papers),
        images=_misclassified(whole, predicted),
    )
    replace_file(part / PAPERS, (result.model_dump_json(indent=1) + "\n").encode())
    try:
        part.rename(out)
        sync(out.parent)
    except OSError as error:
        raise file_error(out, error) from error
    return result


def misclassified(folder: Path, sources: Sources, *, root: Path = Path("data"), seed: int) -> Looked:
    """Return the maker of what `cross_fit` found.

    Args:
        folder: that it wrote.
        sources: the bank's.
        root: where named datasets lie unpacked.
        seed: of the order, and of the parts, which are those of the bank's own sources.

    Raises:
        DataError: if it is damaged, its data are not there or others, or the bank's model lacks a class.
    """
    papers = read_scan(folder)
    places: dict[str, tuple[Dataset, int]] = {}
    parts: dict[str, Part] = {}
    for split in SPLITS:
        dataset = load_dataset(papers.data, split, root=root)
        parts |= parts_of(dataset, seed)
        places |= {source_key(dataset, number): (dataset, number) for number in range(len(dataset))}
    if any(sources.parts[key] != part for key, part in parts.items() if key in sources.parts):
        raise DataError(f"{folder}: is of {papers.data}, whose images are not the bank's; look for them in its data")
    targets = class_targets(
        sources.victim,
        sources.names,
        sorted({name for one in papers.images for name in (one.label, *one.said)}),
        name=str(folder),
    )
    found: dict[Part, list[Candidate]] = {"train": [], "test": []}
    for place in np.random.default_rng([seed, _STREAM]).permutation(len(papers.images)):
        one = papers.images[place]
        if one.source not in places:
            raise DataError(f"{folder}: {one.source} is not in {papers.data} any more; look for them again")
        dataset, number = places[one.source]
        most = max(dict.fromkeys(one.said), key=one.said.count)
        found[parts[one.source]].append(
            Candidate(one.source, targets[one.label], partial(dataset.read, number), targets[most])
        )
    settings: Mapping[str, Any] = {
        "wrong": f"for all models that did not learn from it, {len(papers.models) // papers.folds} a fold",
        "looked_at": papers.looked_at,
        "accuracies": [round(model.accuracy, 4) for model in papers.models],
        "epochs": papers.recipe.get("epochs"),
    }
    return Looked("natural", settings, sources, found)


def read_scan(folder: Path) -> ScanPapers:
    """Read what `cross_fit` wrote.

    Raises:
        DataError: if it is missing or damaged.
    """
    path = folder / PAPERS
    try:
        return ScanPapers.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); write it with `natadv detect scan`") from error
    except ValidationError as error:
        raise DataError(f"{path}: damaged ({error.errors()[0]['msg']}); scan the data again") from error


def _joined(train: Dataset, test: Dataset) -> Dataset:
    """Return the images of both splits, by their keys as a bank has them."""
    if train.labels != test.labels:
        raise DataError(f"{train.name}: its splits have different labels")
    return Dataset(
        name=train.name,
        split="train",
        labels=train.labels,
        targets=np.concatenate([train.targets, test.targets]),
        keys=tuple(source_key(one, number) for one in (train, test) for number in range(len(one))),
        read=lambda i: train.read(i) if i < len(train) else test.read(i - len(train)),
    )


def _misclassified(whole: Dataset, predicted: NDArray[np.int64]) -> tuple[Misclassified, ...]:
    """Return the images that all models get wrong, which have each of their answers, (models, n)."""
    wrong = np.flatnonzero((predicted != whole.targets).all(0))
    return tuple(
        Misclassified(
            source=whole.keys[place],
            label=whole.labels[whole.targets[place]],
            said=tuple(whole.labels[answer] for answer in predicted[:, place]),
        )
        for place in wrong
    )
