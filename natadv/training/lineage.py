"""Lineage: which data a checkpoint learnt from, the last first, and what is known of them.

It stands in the checkpoint's provenance. Data are told by the digest of the pictures that the model saw, so that a
folder may move. A checkpoint trained further has the data of those that it began with too, since a backdoor outlives
more training.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from natadv.data.poison_papers import papers_of
from natadv.errors import DataError
from natadv.training.checkpoint import LoadedClassifier
from natadv.training.inspected import Inspected, read_verdicts, weightier
from natadv.training.pictures import Pictures

LINEAGE = "lineage"
"""Its name in the provenance."""

_DRAWN = "signs"  # drawn by natadv itself: there is nobody who could have poisoned them


class Planted(BaseModel):
    """What the papers of a planted folder say, in short.

    Attributes:
        trigger: its name.
        target: label that the poisoned images have.
        poisoned: images of the training part that are; of `images`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trigger: str
    target: str
    poisoned: int
    images: int


class LearntFrom(BaseModel):
    """Data that a checkpoint learnt from.

    Attributes:
        data: name or folder.
        images: of the training part; None where that is not known.
        sha256: of the pictures; None where nobody took it: those of a checkpoint from elsewhere.
        drawn: whether natadv drew them itself.
        planted: what `poison.json` beside them said as they were read; None where there was none.
        verdict: on these data and a checkpoint that learnt from them, the one that stands; None without one.
        elsewhere: on such a checkpoint, a suspicion by pictures that it does not say to have learnt from; or None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    images: int | None = None
    sha256: str | None = None
    drawn: bool = False
    planted: Planted | None = None
    verdict: Inspected | None = None
    elsewhere: Inspected | None = None


def pictures_sha256(pictures: Pictures, labels: Sequence[str]) -> str:
    """Return the digest of pictures and their labels, in hex."""
    digest = hashlib.sha256(repr((pictures.images.shape, tuple(labels))).encode())
    digest.update(np.ascontiguousarray(pictures.images).data)
    digest.update(np.ascontiguousarray(pictures.targets, np.int64).data)
    return digest.hexdigest()


def learnt_from(data: str, pictures: Pictures, labels: Sequence[str]) -> LearntFrom:
    """Return what is known of training data.

    Args:
        data: as `load_dataset` takes it.
        pictures: its training part, at the model's size.
        labels: by target.

    Raises:
        DataError: if the data have papers of poison, and they are damaged.
    """
    planted = None
    if papers := papers_of(data):
        trigger = str(papers.settings.trigger.get("name"))
        planted = Planted(trigger=trigger, target=papers.target, poisoned=len(papers.poisoned), images=papers.images)
    return LearntFrom(
        data=data,
        images=len(pictures),
        sha256=pictures_sha256(pictures, labels),
        drawn=data == _DRAWN,
        planted=planted,
    )


def pictures_of(provenance: Mapping[str, Any]) -> str | None:
    """Return the digest of the pictures that a checkpoint was trained on last; None where its file does not say."""
    match provenance.get(LINEAGE):
        case [{"sha256": str(digest)}, *_]:
            return digest
    return None


def read_lineage(loaded: LoadedClassifier, checkpoint: Path | None) -> tuple[LearntFrom, ...]:
    """Return the lineage of a checkpoint, with the verdicts that lie beside it.

    What an ancestor was suspected of stands, whatever is found of its descendant: more training hides a backdoor
    sooner than it takes it out. A suspicion by pictures of no entry goes with the first.

    Args:
        loaded: the checkpoint.
        checkpoint: its file; None leaves the verdicts to those that its lineage has.

    Raises:
        DataError: if the verdicts or the lineage cannot be read.
    """
    unknown = {"data": f"unknown ones of the checkpoint sha256 {loaded.digest[:12]}"}
    try:
        entries = [LearntFrom.model_validate(one) for one in loaded.provenance.get(LINEAGE, [unknown])]
    except (ValidationError, TypeError) as error:
        raise DataError(f"checkpoint sha256 {loaded.digest[:12]}: its lineage is damaged; train it anew") from error
    verdicts = {} if checkpoint is None else read_verdicts(checkpoint, loaded.digest)
    known = {one.sha256 for one in entries}
    elsewhere = [one for one in verdicts.values() if one.suspicious and one.data_sha256 not in known]
    return tuple(
        one.model_copy(
            update={
                "verdict": weightier(one.verdict, verdicts.get(one.sha256 or "")),
                "elsewhere": weightier(one.elsewhere, elsewhere[0] if elsewhere and not number else None),
            }
        )
        for number, one in enumerate(entries)
    )


def begin_lineage(
    first: LearntFrom, initial: LoadedClassifier | None, checkpoint: Path | None, *, pretrained: bool = False
) -> tuple[LearntFrom, ...]:
    """Return the lineage of a checkpoint to come.

    Args:
        first: the data that it learns from.
        initial: the checkpoint that it begins with; None for first weights by chance.
        checkpoint: the file of that one.
        pretrained: whether it begins with weights from the net, whose data nobody here has.

    Raises:
        DataError: as `read_lineage`.
    """
    older = read_lineage(initial, checkpoint) if initial is not None else ()
    return _joined([first, *older, *([LearntFrom(data="those of timm's pretrained weights")] if pretrained else [])])


def plain_lineage(lineage: Iterable[LearntFrom]) -> list[dict[str, Any]]:
    """Return a lineage as a checkpoint keeps it."""
    return [one.model_dump(mode="json", exclude_defaults=True) for one in lineage]


def _joined(entries: Sequence[LearntFrom]) -> tuple[LearntFrom, ...]:
    """Name the same pictures once. A verdict on them stays: they are what it was about.

    Papers stay too: poison does not leave because the folder's papers did.
    """
    found: dict[str, LearntFrom] = {}
    for number, one in enumerate(entries):
        key = one.sha256 or f"{one.data} {number}"
        before = found.get(key, one)
        known = {
            "planted": before.planted or one.planted,
            "verdict": weightier(before.verdict, one.verdict),
            "elsewhere": weightier(before.elsewhere, one.elsewhere),
        }
        found[key] = before.model_copy(update=known)
    return tuple(found.values())
