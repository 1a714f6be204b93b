"""AdvDrop's tables (Duan et al. 2021): success by budget, what files weigh, what survives denoising.

The paper's text at hand has its abstract and introduction; its numbers are those that others quote of it, on ResNet-50.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from natadv.attacks.outcome import Outcome
from natadv.attacks.suite import Setting
from natadv.batches import to_images
from natadv.data.dataset import Dataset
from natadv.data.draw import draw
from natadv.data.kin import counted_by
from natadv.evaluation.rates import Z_95, KinRate
from natadv.evaluation.record import file_bytes
from natadv.evaluation.record_cache import image_digests
from natadv.evaluation.robustness import block_seed, libraries_of_models
from natadv.evaluation.squeezes import SQUEEZES, squeezed
from natadv.evaluation.success import is_right
from natadv.papers.number import Number, percentage
from natadv.papers.number import setting as described
from natadv.progress import Report
from natadv.source_digest import source_digest
from natadv.training.kept_outcomes import kept_outcome
from natadv.training.trial import Trial, try_model
from natadv.training.victim import open_victim

EPSILONS = (20, 60, 100)
PAPER: Mapping[str, Mapping[int, float]] = {
    "untargeted": {20: 98.55, 60: 99.85, 100: 100.0},
    "targeted": {20: 97.20, 60: 99.45, 100: 99.95},
}
"""Attack success, %, by kind and budget."""

TITLES: Mapping[int, str] = {
    1: "AdvDrop 1. Attack success (%) by budget",
    2: "AdvDrop 2. Bytes of the adversarial files more than the clean ones' (%)",
    3: "AdvDrop 3. Errors (%) after denoising, on what attacks return; a failed one returns the clean image",
}
_PGD = 8 / 255
_CODE = ("natadv.attacks.suite", "natadv.training.victim", "natadv.training.trial", "natadv.evaluation.robustness")
"""What makes outcomes, beside the attack."""


@dataclass(frozen=True)
class DropRequest:
    """What the tables are run on.

    Attributes:
        data: a test set.
        models: files or names.
        cache: folder of what attacks found already.
        count: so many images, drawn by seed; None for all.
        steps: of an untargeted attack; a targeted one takes ten times as many, as the paper's.
        seed: of the images and the targets.
        batch_size: images at once.
        device: "cpu" or "cuda".
    """

    data: Dataset
    models: tuple[str, ...]
    cache: Path
    count: int | None = None
    steps: int = 50
    seed: int = 0
    batch_size: int = 32
    device: str = "cpu"


def numbers(table: int, request: DropRequest, report: Report) -> Iterator[Number]:
    """Yield the numbers of a table.

    Args:
        table: 1 to 3.
        request: what on.
        report: told what is attacked, and how many of how many images are done.

    Raises:
        ConfigError: if a model is not there.
        DataError: if a file is damaged, or classes do not match.
    """
    for name in request.models:
        victim = open_victim(name, request.device)
        trial = try_model(victim, draw(request.data, count=request.count, seed=request.seed), device=request.device)
        yield from (_success, _bytes, _survival)[table - 1](request, trial, report)


def _success(request: DropRequest, trial: Trial, report: Report) -> Iterator[Number]:
    for kind, paper in PAPER.items():
        targets = None if kind == "untargeted" else targets_for(trial, request.seed)
        for epsilon in EPSILONS:
            attack = _drop(request, epsilon, tenfold=targets is not None)
            outcome = _outcome(request, trial, attack, report, targets)
            rate = KinRate.of(outcome.fooled.tolist(), trial.kin)
            queries = f"{outcome.queries.double().mean():.0f} an image"
            said = _said(request, trial, attack, queries=queries, interval=counted_by(trial.kin))
            row = f"{kind}, {_where(trial)}"
            yield percentage(row, str(epsilon), rate, paper=paper.get(epsilon), setting=said)


def _bytes(request: DropRequest, trial: Trial, report: Report) -> Iterator[Number]:
    for attack in _compared(request):
        row, outcome = attack.name, _outcome(request, trial, attack, report)
        if not outcome.fooled.any():
            continue
        clean, found = trial.images[outcome.fooled], outcome.images[outcome.fooled]
        for column, kind in (("PNG", ".png"), ("JPEG 95", ".jpg")):
            more = np.array(
                [
                    100 * (file_bytes(after, kind) / file_bytes(before, kind) - 1)
                    for before, after in zip(to_images(clean), to_images(found), strict=True)
                ]
            )
            mean = float(more.mean())
            half = Z_95 * more.std(ddof=1) / len(more) ** 0.5 if len(more) > 1 else None
            ends = (None, None) if half is None else (mean - half, mean + half)
            said = _said(request, trial, attack, files="of the images it fooled", interval="of the mean, by image")
            yield Number(f"{row}, {_where(trial)}", column, mean, *ends, len(more), None, said)


def _survival(request: DropRequest, trial: Trial, report: Report) -> Iterator[Number]:
    for attack in (None, *_compared(request)):
        row = "clean" if attack is None else attack.name
        images = trial.images if attack is None else _outcome(request, trial, attack, report).images
        for column, squeeze in SQUEEZES.items():
            right = is_right(trial.victim.model, squeezed(images, squeeze), trial.labels, batch_size=request.batch_size)
            rate = KinRate.of((~right).tolist(), trial.kin)
            said = _said(request, trial, attack, interval=counted_by(trial.kin))
            yield percentage(f"{row}, {_where(trial)}", column, rate, paper=None, setting=said)


def _compared(request: DropRequest) -> Iterator[Setting]:
    """Yield what is compared: our start and the authors' at each budget, that with all steps too, and PGD."""
    for epsilon in EPSILONS:
        ours = _drop(request, epsilon)
        yield ours
        theirs = {**ours.options, "growth": 0.0, "smallest": 5.0}
        yield replace(ours, name=f"{ours.name}, from the largest tables", options=theirs)
        # PGD takes all of its steps as well, so that only this row is like it.
        on = {**theirs, "whole_budget": True}
        yield replace(ours, name=f"{ours.name}, from the largest tables, all steps", options=on)
    options = {"epsilon": _PGD, "steps": 40, "step_size": 2 / 255}
    yield Setting("PGD-40 at 8/255", "library.pgd", options, seeded=True)


def _drop(request: DropRequest, epsilon: int, *, tenfold: bool = False) -> Setting:
    steps = request.steps * (10 if tenfold else 1)
    return Setting(f"AdvDrop {epsilon}", "advdrop.advdrop", {"epsilon": float(epsilon), "steps": steps})


def _outcome(
    request: DropRequest, trial: Trial, attack: Setting, report: Report, targets: Tensor | None = None
) -> Outcome:
    """Attack a trial, or return what was kept of the same attack."""
    what = f"{attack.name}{'' if targets is None else ', targeted,'} on {trial.victim.name}"

    def of_block(images: Tensor, labels: Tensor, aims: Tensor | None) -> Outcome:
        aimed = attack if aims is None else replace(attack, options={**attack.options, "targets": aims})
        chance = block_seed(request.seed, image_digests(images[:1], labels[:1])[0])
        return aimed(trial.victim.model, images, labels, seed=chance, batch_size=request.batch_size)

    return kept_outcome(
        request.cache,
        {
            "model": trial.victim.described,
            "seed": request.seed,
            "bench": source_digest(*_CODE),
            "device": request.device,
            "libraries of models": libraries_of_models(),
            **attack.described(),
        },
        of_block,
        trial.images,
        trial.labels,
        targets,
        block=request.batch_size,
        report=lambda done: report(what, done, len(trial.images)),
    )


def targets_for(trial: Trial, seed: int) -> Tensor:
    """Return a wrong class for each image of a trial, drawn by the seed and the image's number, (n,)."""
    classes = trial.victim.classes
    drawn = [int(np.random.default_rng([seed, int(number)]).integers(1, classes)) for number in trial.numbers]
    return (trial.labels + torch.tensor(drawn, device=trial.labels.device)) % classes


def _where(trial: Trial) -> str:
    return f"{trial.victim.name} on {trial.data.split(' ', maxsplit=1)[0]}"


def _said(request: DropRequest, trial: Trial, attack: Setting | None, **more: object) -> str:
    if attack is not None:
        more["steps"] = attack.options["steps"]
    return described(
        data=f"{trial.data} ({trial.clean.total} images, {trial.clean.hits} right)",
        model=trial.victim.described,
        size=f"{trial.size[1]}x{trial.size[0]} px",
        seed=request.seed,
        **more,
    )
