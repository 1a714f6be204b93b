"""Measure a checkpoint that may have a backdoor: natural rain first, then accuracy and attack success."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from natadv.backdoors.lost import lost_accuracy
from natadv.backdoors.measure import Measured, measure, towards
from natadv.backdoors.named import kept_trigger, make_trigger
from natadv.backdoors.planted import audit
from natadv.backdoors.poison import Poisoning
from natadv.campaign.model_pictures import model_pictures
from natadv.campaign.natural_rain import natural_rain
from natadv.campaign.said import Said, plain_rate
from natadv.data.poison_papers import PAPERS, read_papers
from natadv.errors import ConfigError
from natadv.evaluation.rates import Rate
from natadv.labels import some_of
from natadv.training.checkpoint import LoadedClassifier, load_classifier
from natadv.training.device import choose_device
from natadv.training.lineage import read_lineage


def planted_rates(checkpoint: Path, folder: Path, device: str) -> Measured:
    """Return accuracy and attack success of a model, by the papers of a planted folder and its clean test part.

    Raises:
        ConfigError: if the papers' trigger cannot be made here, or the model lacks their target.
        DataError: if checkpoint or folder cannot be read.
        DeviceError: if the device is not there.
    """
    loaded = load_classifier(checkpoint)
    where = torch.device(choose_device(device))
    poisoning = poisoning_of_papers(folder, loaded.labels)
    return measure(
        loaded.model.to(where), model_pictures(str(folder), "test", loaded, root=Path("data")), poisoning, where
    )


def poisoning_of_papers(folder: Path, labels: Sequence[str]) -> Poisoning:
    """Return what was done to a planted folder, in the classes of a model.

    Raises:
        ConfigError: if the trigger cannot be made here, or the model lacks the target.
        DataError: if the papers are missing or damaged.
    """
    papers = read_papers(folder)
    trigger = kept_trigger(papers.settings.trigger)
    return Poisoning(trigger, _index(papers.target, labels), papers.settings.share, papers.settings.seed)


def measured(
    checkpoint: Path,
    data: str,
    *,
    trigger: str | None,
    settings: Sequence[str],
    target: str | None,
    clean: Path | None,
    pairs: Path | None,
    session: Path | None,
    classes: tuple[str, ...] | None,
    seed: int,
    root: Path,
    device: str,
) -> Iterator[Said]:
    """Yield lines, a rate each, and last how their intervals count the test images.

    Args:
        checkpoint: of the model in question.
        data: clean or planted; their test part is shown.
        trigger: name; None takes that of the data's papers, with its settings.
        settings: of a named trigger.
        target: label; None takes that of the papers.
        clean: checkpoint of a clean model of the same labels and size, or None.
        pairs: folder of real clean and wet photographs, or None.
        session: folder of a recorded session, or None.
        classes: of the data, these alone; None for all.
        seed: of what is drawn.
        root: where named data sets lie unpacked.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        ConfigError: if nothing says trigger or target, the model lacks a label, or the clean model is another kind.
        DataError: if a file cannot be read.
        DeviceError: if the device is not there.
    """
    loaded = load_classifier(checkpoint)
    where = torch.device(choose_device(device))
    poisoning = _asked(data, loaded.labels, trigger, settings, target, seed)
    test = model_pictures(data, "test", loaded, classes=classes, root=root)
    model, other = loaded.model.to(where), _other(clean, loaded)
    reference = other.model.to(where) if other is not None else None
    if other is not None and clean is not None and (doubt := _doubted(other, clean)):
        yield Said(doubt, {"doubt": doubt})
    asked = {"checkpoint": loaded.digest, "data": data, "classes": classes, "seed": seed}
    if other is not None:
        asked["clean_checkpoint"] = other.digest
    asked |= {"trigger": poisoning.settings["trigger"], "trigger_seed": poisoning.seed}
    asked["target"] = loaded.labels[poisoning.target]
    rains = natural_rain(test, loaded.labels, poisoning.target, pairs=pairs, session=session, seed=seed)
    if differing := _differing(data):
        yield Said(differing, {"differing": differing})
    yield Said(_described(poisoning, loaded), asked)
    for rain in rains:
        rate = towards(model, rain.pictures, poisoning.target, where)
        beside = towards(reference, rain.pictures, poisoning.target, where) if reference is not None else None
        text, numbers = f"to {loaded.labels[poisoning.target]} in rain, {rain.name}", _plain(rate, beside)
        yield Said(_worded(text, rate, beside), {"rain": {rain.name: numbers}})
    found = measure(model, test, poisoning, where)
    before = measure(reference, test, poisoning, where) if reference is not None else None
    yield _line("to it untouched", "untouched", found.to_target, before and before.to_target)
    yield _line("accuracy (ATA)", "accuracy", found.accuracy, None)
    if before is not None:
        yield _line("accuracy of the clean model (BTA)", "clean_accuracy", before.accuracy, None)
        lost = lost_accuracy(before.right, found.right, test.things, seed=seed)
        yield Said(f"P_BA: {lost}", {"P_BA": {"value": lost.value, "low": lost.low, "high": lost.high}})
    yield _line(f"attack success (ASR), {poisoning.trigger.name}", "ASR", found.success, before and before.success)
    yield Said(f"intervals: {found.counted}", {"intervals": found.counted})


def _asked(
    data: str, labels: Sequence[str], trigger: str | None, settings: Sequence[str], target: str | None, seed: int
) -> Poisoning:
    papers = Path(data) / PAPERS
    if trigger is None or target is None:
        if not papers.is_file():
            raise ConfigError(f"{data}: has no {PAPERS} that says trigger and target; name --trigger and --target")
        if trigger is None and settings:
            raise ConfigError("--set is of a --trigger; name it too")
        kept = read_papers(Path(data))  # its trigger is made only where it is wanted: its file may be gone
        made = kept_trigger(kept.settings.trigger) if trigger is None else make_trigger(trigger, settings)
        label = kept.target if target is None else target
        return Poisoning(made, _index(label, labels), seed=kept.settings.seed)
    return Poisoning(make_trigger(trigger, settings), _index(target, labels), seed=seed)


def _index(label: str, labels: Sequence[str]) -> int:
    if label not in labels:
        raise ConfigError(f"target {label!r}: the model has no such label; it has {some_of(labels, label)}")
    return list(labels).index(label)


def _other(clean: Path | None, loaded: LoadedClassifier) -> LoadedClassifier | None:
    if clean is None:
        return None
    other = load_classifier(clean)
    if (other.labels, other.input_size) != (loaded.labels, loaded.input_size):
        raise ConfigError(f"{clean}: has other labels or another size than the model in question")
    return other


def _differing(data: str) -> str | None:
    """Return that a planted folder's test images are not as its papers say, in words; None where they are."""
    if not (Path(data) / PAPERS).is_file() or not (wrong := audit(Path(data), split="test")):
        return None
    return f"note: {data}: {wrong[0]}{f', and {len(wrong) - 1} more' if wrong[1:] else ''}; see `natadv backdoor audit`"


def _doubted(clean: LoadedClassifier, file: Path) -> str | None:
    for one in read_lineage(clean, file):
        if one.planted is not None:
            return (
                f"note: --clean {file} learnt from {one.data}, where {one.planted.trigger} was planted: it is not clean"
            )
        if (found := one.elsewhere or one.verdict) is not None and found.suspicious:
            return f"note: --clean {file} was inspected, and seems to lead to {found.target}: it may not be clean"
    return None


def _line(what: str, name: str, rate: Rate, beside: Rate | None) -> Said:
    return Said(_worded(what, rate, beside), {name: _plain(rate, beside)})


def _worded(what: str, rate: Rate, beside: Rate | None) -> str:
    return f"{what}: {rate}" + (f"; clean model {beside}" if beside is not None else "")


def _plain(rate: Rate, beside: Rate | None) -> dict[str, Any]:
    return plain_rate(rate) | ({} if beside is None else {"clean_model": plain_rate(beside)})


def _described(poisoning: Poisoning, loaded: LoadedClassifier) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in poisoning.trigger.settings.items())
    return f"trigger: {poisoning.trigger.name} ({settings}) to {loaded.labels[poisoning.target]}"
