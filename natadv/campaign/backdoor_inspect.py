"""Inspect a checkpoint for a backdoor, and keep the verdict beside it, where the export finds it."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from natadv.backdoors.inspect.thresholds import Thresholds, read_thresholds
from natadv.backdoors.inspect.verdict import Verdict, inspect_model
from natadv.campaign.model_pictures import model_pictures
from natadv.campaign.said import plain_rate
from natadv.data.load import load_dataset
from natadv.errors import ConfigError
from natadv.training.checkpoint import LoadedClassifier, load_classifier
from natadv.training.device import choose_device
from natadv.training.inspected import Inspected, keep_verdict, read_verdicts
from natadv.training.lineage import pictures_sha256, read_lineage
from natadv.training.pictures import pictures_for


@dataclass(frozen=True)
class Inspection:
    """What an inspection came to.

    Attributes:
        verdict: with its evidence.
        labels: of the model's classes.
        target: label of the class suspected; None if nothing is.
        pictures: files of the suspected ones; their keys in data that are no folder.
        of_class: pictures that the class suspected has; 0 if none is.
        learnt: whether the checkpoint says that it learnt from these pictures.
        limit: what the verdict's sum had to exceed.
        unlike: in what the model differs from those that the error rates are of, in words; None if in nothing.
        file: where the verdict is kept.
        stands: the verdict that stands on these data, which may be an earlier one.
    """

    verdict: Verdict
    labels: tuple[str, ...]
    target: str | None
    pictures: tuple[str, ...]
    of_class: int
    learnt: bool
    limit: float
    unlike: str | None
    file: Path
    stands: Inspected

    @property
    def numbers(self) -> dict[str, Any]:
        """What was found, what it rests on, and what stands, as plain values for programs; classes by their labels."""
        verdict = self.verdict
        return {
            "suspicious": verdict.suspicious,
            "target": self.target,
            "sum": verdict.most,
            "limit": self.limit,
            "evidence": {
                one.method: {
                    "score": one.score if math.isfinite(one.score) else None,
                    "threshold": one.threshold,
                    "class": None if one.target is None else self.labels[one.target],
                }
                for one in verdict.evidence
            },
            "detection": plain_rate(verdict.errors.detection),
            "false_alarm": plain_rate(verdict.errors.false_alarm),
            "setting": verdict.setting,
            "reservation": verdict.reservation,
            "clean": verdict.clean,
            "learnt": self.learnt,
            "unlike": self.unlike,
            "pictures": list(self.pictures),
            "of_class": self.of_class,
            "region": verdict.region,
            "listed": None if verdict.listed is None else verdict.listed.model_dump(),
            "stands": {"suspicious": self.stands.suspicious, "target": self.stands.target},
        }


def inspect_checkpoint(
    checkpoint: Path,
    data: str,
    *,
    clean: str | None = None,
    classes: tuple[str, ...] | None = None,
    calibration: Path | None = None,
    seed: int = 0,
    root: Path = Path("data"),
    device: str = "auto",
) -> Inspection:
    """Inspect, and keep the verdict before anything else can fail.

    Args:
        checkpoint: of the model in question.
        data: what it was trained on, as `load_dataset` takes it.
        clean: data whose test part is known to be clean; None for what can be said without, which is little.
        classes: of the clean data, these alone; None for all.
        calibration: calibration.json; None for the one that is shipped.
        seed: of all chance.
        root: where named data sets lie unpacked.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        ConfigError: if there are no such data or classes, or classes of no clean data are named.
        DataError: if a file cannot be read or written, or the data are too few.
        DeviceError: if the device is not there.
        ResourceError: if the disk is full.
    """
    if classes is not None and clean is None:
        raise ConfigError("--classes are of the clean data; name them too: --clean")
    thresholds = read_thresholds(calibration)
    loaded, trained_on = load_classifier(checkpoint), load_dataset(data, "train", root=root)
    known = None if clean is None else model_pictures(clean, "test", loaded, classes=classes, root=root)
    pictures = pictures_for(trained_on, loaded.labels, loaded.input_size)
    digest = pictures_sha256(pictures, loaded.labels)
    learnt = digest in {one.sha256 for one in read_lineage(loaded, checkpoint)}
    verdict = inspect_model(
        loaded.model,
        pictures,
        known,
        device=torch.device(choose_device(device)),
        seed=seed,
        thresholds=thresholds,
        labels=loaded.labels,
    )
    target = None if verdict.target is None else loaded.labels[verdict.target]
    file = keep_verdict(
        checkpoint,
        Inspected(
            checkpoint_sha256=loaded.digest,
            data_sha256=digest,
            suspicious=verdict.suspicious,
            target=target,
            errors=verdict.errors_in_words,
            clean=verdict.clean,
            reservation=verdict.reservation,
        ),
    )
    return Inspection(
        verdict=verdict,
        labels=tuple(loaded.labels),
        target=target,
        pictures=tuple(_place(data, trained_on.keys[int(index)]) for index in verdict.suspected),
        of_class=0 if verdict.target is None else int((pictures.targets == verdict.target).sum()),
        learnt=learnt,
        limit=(thresholds.with_clean if verdict.clean else thresholds.without_clean).limit,
        unlike=_unlike(loaded, thresholds),
        file=file,
        stands=read_verdicts(checkpoint, loaded.digest)[digest],
    )


def _unlike(loaded: LoadedClassifier, thresholds: Thresholds) -> str | None:
    side, classes = max(loaded.input_size), len(loaded.labels)
    if (loaded.model.model_name, side, classes) == (thresholds.model, thresholds.size_px, thresholds.classes):
        return None
    return f"{loaded.model.model_name} at {side} px, of {classes} classes"


def _place(data: str, key: str) -> str:
    """Return where an image of the training part lies; its name in data that are no folder."""
    return next((str(place) for place in (Path(data) / "train" / key, Path(data) / key) if place.is_file()), key)
