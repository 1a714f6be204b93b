"""Repair a checkpoint's backdoor with clean images: the repaired checkpoint, and what it came to in words."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn

from natadv.backdoors.measure import measure
from natadv.backdoors.repair.fine_pruning import fine_prune
from natadv.backdoors.repair.fine_tuning import fine_tune
from natadv.campaign.backdoor_measure import poisoning_of_papers
from natadv.campaign.model_pictures import model_pictures
from natadv.campaign.said import REPAIR, Said, plain_rate, write_numbers
from natadv.data.poison_papers import papers_of
from natadv.durable import changing, check_folder
from natadv.errors import ConfigError, DataError
from natadv.evaluation.rates import Rate
from natadv.models.classifier import Classifier
from natadv.training.checkpoint import load_classifier, save_checkpoint
from natadv.training.classifier import CHECKPOINT
from natadv.training.device import choose_device
from natadv.training.evaluate import accuracy, accuracy_metrics
from natadv.training.lineage import LINEAGE, begin_lineage, learnt_from, plain_lineage
from natadv.training.pictures import Pictures

NUMBERS = "repair.json"
_STREAM = 5
_WORKS = 0.1  # of triggered images, below which there is no backdoor to speak of
_COMES_BACK = 0.1  # of success, that fine-tuning after pruning gives back to an attack


@dataclass(frozen=True)
class Repair:
    """How a model is repaired.

    Attributes:
        prune: `weights` of least magnitude, `channels` least activated, or None for fine-tuning alone.
        share: of them that is pruned; None for as many as accuracy bears.
        most_drop: of accuracy on what is held back, 0..1, where pruning stops by itself.
        share_of_data: of the clean training images.
        epochs: of fine-tuning.
        learning_rate: of it.
        seed: of all chance.
    """

    prune: Literal["weights", "channels"] | None
    share: float | None
    most_drop: float
    share_of_data: float
    epochs: int
    learning_rate: float
    seed: int


def repaired(
    checkpoint: Path,
    data: str,
    out: Path,
    asked: Repair,
    *,
    planted: Path | None,
    root: Path,
    classes: tuple[str, ...] | None = None,
    device: str,
    epoch: Callable[[], None] = lambda: None,
) -> Iterator[Said]:
    """Repair, write OUT/repair.json and last OUT/checkpoint.pt, and yield what was measured before and after.

    Raises:
        ConfigError: if OUT holds a checkpoint already, the data are planted or lack a class, or the trigger of
            `planted` cannot be made here.
        DataError: if checkpoint, data or papers cannot be read, or the data are too few.
        DeviceError: if the device is not there.
        ResourceError: if the disk is full.
    """
    if (out / CHECKPOINT).exists():
        raise ConfigError(f"{out}: holds a checkpoint already; take another folder")
    check_folder(out)
    if papers_of(data) is not None:
        raise ConfigError(
            f"--data {data}: planted, so that images of its training part are poison; name clean data, as `natadv "
            "backdoor undo` writes them"
        )
    loaded, where = load_classifier(checkpoint), torch.device(choose_device(device))
    whole = model_pictures(data, "train", loaded, classes=classes, root=root)
    clean = _share(whole, asked)
    lineage = begin_lineage(learnt_from(data, whole, loaded.labels), loaded, checkpoint)
    test = model_pictures(data, "test", loaded, classes=classes, root=root)
    poisoning = poisoning_of_papers(planted, loaded.labels) if planted is not None else None
    model = loaded.model.to(where)

    successes: list[Rate] = []

    def measured(when: str, shown: nn.Module) -> Said:
        if poisoning is None:
            rate = accuracy(shown, test, where)
            return Said(f"{when}: accuracy {rate}", {"accuracy": plain_rate(rate)})
        found = measure(shown, test, poisoning, where)
        successes.append(found.success)
        numbers = {"accuracy": plain_rate(found.accuracy), "ASR": plain_rate(found.success)}
        return Said(f"{when}: accuracy {found.accuracy}; attack success (ASR) {found.success}", numbers)

    suspicion = lineage[0].verdict
    if suspicion is not None and suspicion.suspicious:
        yield Said(f"note: an inspection found {data} suspicious, towards {suspicion.target}; repair with clean data")
    before = measured("before", model)
    yield before

    curve: list[Said] = []

    def told(number: int, tuned: nn.Module) -> None:
        if number:
            curve.append(measured(f"epoch {number}", tuned))
            epoch()

    better, number, pruned = _better(model, clean, asked, where, told)
    yield from pruned
    yield from curve
    after = measured(f"after, having learnt from {number} clean images", better)
    yield after
    yield Said(f"intervals: {test.counted}")
    unknown = "whether this took a backdoor out is not known; name the planted folder with --planted, or inspect again"
    yield Said(_helped(successes, asked) if successes else unknown)
    how = {"checkpoint": loaded.digest, "repair": {**asdict(asked), "data": data, "classes": classes}}
    how |= {"learnt_from": number, "intervals": test.counted}
    if poisoning is not None:
        how |= {"trigger": poisoning.settings["trigger"], "target": loaded.labels[poisoning.target]}
    how |= {"before": before.numbers, "after": after.numbers}
    how["epochs"] = [{"epoch": place, **one.numbers} for place, one in enumerate(curve, 1)]
    with changing(out):
        out.mkdir(parents=True, exist_ok=True)
    write_numbers(out / NUMBERS, REPAIR, (Said("", how), *pruned))
    save_checkpoint(
        out / CHECKPOINT,
        better,
        metrics=accuracy_metrics(accuracy(better, test, where)),
        recipe=loaded.recipe,
        provenance={
            **loaded.provenance,
            "data": Path(data).name,
            "train_images": number,
            "test_images": len(test),
            "init_sha256": loaded.digest,
            "ancestors": [loaded.digest, *loaded.ancestors],
            LINEAGE: plain_lineage(lineage),
            "repair": {**asdict(asked), "data": data},
        },
    )


def _better(
    model: Classifier,
    clean: Pictures,
    asked: Repair,
    device: torch.device,
    told: Callable[[int, nn.Module], None],
) -> tuple[Classifier, int, list[Said]]:
    """Return the repaired model, how many images it learnt from, and what pruning came to."""
    found: nn.Module
    learnt_from, pruned = len(clean), list[Said]()
    if asked.prune is None:
        found = fine_tune(
            model,
            clean,
            epochs=asked.epochs,
            learning_rate=asked.learning_rate,
            seed=asked.seed,
            device=device,
            after_epoch=told,
        )
    else:
        result = fine_prune(
            model,
            clean,
            how=asked.prune,
            share=asked.share,
            most_drop=asked.most_drop,
            epochs=asked.epochs,
            learning_rate=asked.learning_rate,
            seed=asked.seed,
            device=device,
            after_epoch=told,
        )
        found, learnt_from = result.model, result.learnt_from
        held = [{"pruned": share, **plain_rate(rate)} for share, rate in result.accuracies]
        numbers = {"pruned": result.share, "held_back": held}
        pruned.append(Said(f"pruned: {100 * result.share:.0f} % of the {asked.prune}", numbers))
        for share, rate in result.accuracies:
            pruned.append(Said(f"at {100 * share:.0f} %: accuracy of the {rate.total} images held back {rate}"))
        if result.accuracies:
            said = "held back from the repair; where the model itself learnt from them, it loses more on others"
            pruned.append(Said(said))
    if not isinstance(found, Classifier):
        raise TypeError(f"expected a Classifier, got {type(found).__name__}")
    return found, learnt_from, pruned


def _share(clean: Pictures, asked: Repair) -> Pictures:
    chance = np.random.default_rng([asked.seed, _STREAM])
    drawn = np.sort(chance.permutation(len(clean))[: round(asked.share_of_data * len(clean))])
    if len(drawn) < 3:
        raise DataError(f"{len(drawn)} clean images are too few to repair with; take a larger --share-of-data")
    return clean.subset(drawn)


def _helped(successes: Sequence[Rate], asked: Repair) -> str:
    """Say whether the backdoor is out: a repair that leaves half of the attack's success leaves the backdoor."""
    rates = [one.value for one in successes]  # before, after each epoch, after all
    if rates[0] < _WORKS:
        return "the attack hardly worked to begin with, so that nothing is seen of what this did to it"
    if rates[-1] < rates[0] / 2:
        return "the attack lost more than half of its success, which does not prove that the backdoor is gone"
    said = "this did not take the backdoor out" + ("" if asked.prune else "; --how fine-pruning may")
    best = min(range(1, len(rates)), key=rates.__getitem__)
    if rates[best] < rates[-1] - _COMES_BACK:
        said += f"; after epoch {best} there was less of it, see --epochs"
    return f"{said}; training anew on clean data does"
