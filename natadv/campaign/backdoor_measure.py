"""Measure a checkpoint that may have a backdoor: natural rain first, then accuracy and attack success."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from natadv.backdoors.lost import lost_accuracy
from natadv.backdoors.measure import Measured, measure, towards
from natadv.backdoors.named import kept_trigger, make_trigger
from natadv.backdoors.planted import subset_of_classes
from natadv.backdoors.poison import Poisoning
from natadv.campaign.natural_rain import natural_rain
from natadv.data.load import load_dataset
from natadv.data.poison_papers import PAPERS, read_papers
from natadv.errors import ConfigError
from natadv.evaluation.rates import Rate
from natadv.labels import some_of
from natadv.training.checkpoint import LoadedClassifier, load_classifier
from natadv.training.device import choose_device
from natadv.training.pictures import Pictures, pictures_for


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
    return measure(loaded.model.to(where), _test(str(folder), loaded, None, Path("data")), poisoning, where)


def poisoning_of_papers(folder: Path, labels: Sequence[str]) -> Poisoning:
    """Return what was done to a planted folder, in the classes of a model.

    Raises:
        ConfigError: if the trigger cannot be made here, or the model lacks the target.
        DataError: if the papers are missing or damaged.
    """
    papers = read_papers(folder)
    trigger = kept_trigger(papers.settings.trigger)
    return Poisoning(trigger, _index(papers.target, labels), papers.settings.share, papers.settings.seed)


def measured_lines(
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
) -> Iterator[str]:
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
    test = _test(data, loaded, classes, root)
    model, other = loaded.model.to(where), _other(clean, loaded)
    reference = other.model.to(where) if other is not None else None
    for rain in natural_rain(test, loaded.labels, poisoning.target, pairs=pairs, session=session, seed=seed):
        rate = towards(model, rain.pictures, poisoning.target, where)
        beside = towards(reference, rain.pictures, poisoning.target, where) if reference is not None else None
        yield _line(f"to {loaded.labels[poisoning.target]} in rain, {rain.name}", rate, beside)
    found = measure(model, test, poisoning, where)
    before = measure(reference, test, poisoning, where) if reference is not None else None
    yield _line("to it untouched", found.to_target, before and before.to_target)
    yield f"accuracy (ATA): {found.accuracy}"
    if before is not None:
        yield f"accuracy of the clean model (BTA): {before.accuracy}"
        yield f"P_BA: {lost_accuracy(before.right, found.right, test.things, seed=seed)}"
    yield _line(f"attack success (ASR), {poisoning.trigger.name}", found.success, before and before.success)
    yield f"intervals: {found.counted}"


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


def _test(data: str, loaded: LoadedClassifier, classes: tuple[str, ...] | None, root: Path) -> Pictures:
    dataset = subset_of_classes(load_dataset(data, "test", root=root), classes)
    return pictures_for(dataset, loaded.labels, loaded.input_size)


def _other(clean: Path | None, loaded: LoadedClassifier) -> LoadedClassifier | None:
    if clean is None:
        return None
    other = load_classifier(clean)
    if (other.labels, other.input_size) != (loaded.labels, loaded.input_size):
        raise ConfigError(f"{clean}: has other labels or another size than the model in question")
    return other


def _line(what: str, rate: Rate, beside: Rate | None) -> str:
    return f"{what}: {rate}" + (f"; clean model {beside}" if beside is not None else "")
