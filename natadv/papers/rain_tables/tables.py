"""RAIN's tables I to VII: accuracy and robust accuracy, a row a defended classifier, a column an attack.

All rows stand on the same images, those that the bare standard classifier gets right (Eq. 2, 3). Results are cached
image by image, so a table that was stopped goes on, and tables share what they have in common.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from natadv.attacks.suite import Setting, setting
from natadv.data.dataset import Dataset
from natadv.data.draw import draw
from natadv.evaluation.flags import result_flags
from natadv.evaluation.robustness import CLEAN_PASSES, Measured, attack_all, attack_cache, clean_accuracy
from natadv.papers.number import Number, percentage
from natadv.papers.number import setting as described
from natadv.papers.rain import COLUMNS, IMAGENET, STL10
from natadv.papers.rain_tables.rows import Models, Row, rows
from natadv.training.defenses import OpenedDefense, open_defense
from natadv.training.trial import Trial, try_model
from natadv.training.victim import Victim, open_victim, targets_of


@dataclass(frozen=True)
class RainRequest:
    """What the tables are run on.

    Attributes:
        data: a test set.
        models: the classifiers and RAIN's networks.
        cache: folder of what is done already.
        count: so many images, drawn by seed; None for all.
        columns: only these attacks; None for all of the table's.
        only: only these rows; None for all that the models allow.
        seed: of all chance.
        batch_size: images at once.
        device: "cpu" or "cuda".
    """

    data: Dataset
    models: Models
    cache: Path
    count: int | None = None
    columns: tuple[str, ...] | None = None
    only: tuple[str, ...] | None = None
    seed: int = 0
    batch_size: int = 32
    device: str = "cpu"


Report = Callable[[str, int, int], None]


def numbers(table: int, request: RainRequest, report: Report) -> Iterator[Number]:
    """Yield a table's numbers, row by row.

    Args:
        table: 1 to 7.
        request: what on.
        report: told what is attacked, and how many of how many images are done.

    Raises:
        ConfigError: if a model or a defence is not there.
        DataError: if a file is missing or damaged, or classes do not match.
    """
    victim = open_victim(request.models.standard, request.device)
    trial = try_model(victim, draw(request.data, count=request.count, seed=request.seed), device=request.device)
    beside = IMAGENET if request.data.name.startswith("nips17") else STL10
    for row in rows(table, request.models):
        if request.only is not None and row.name not in request.only:
            continue
        paper = beside.get(table, {}).get(row.name, {})
        of = _Row(request, trial, row, "ImageNet" if beside is IMAGENET else "STL-10", paper)
        for column in COLUMNS[table]:
            if request.columns is None or column in request.columns:
                yield of.attacked(setting(column), report)
        if request.columns is None or "clean" in request.columns:
            yield of.clean()


class _Row:
    """One row in work."""

    def __init__(self, request: RainRequest, trial: Trial, row: Row, papers_data: str, paper: dict[str, float]) -> None:
        self._request, self._trial, self._row = request, trial, row
        self._papers_data, self._paper = papers_data, paper
        same = row.model == request.models.standard
        self._victim = trial.victim if same else open_victim(row.model, request.device)
        self._labels = trial.labels if same else _labels(self._victim, request, trial)
        self._defense: OpenedDefense = open_defense(row.defense)
        if self._defense.defense is not None:
            self._defense.defense.to(request.device)
        self._measured: list[Measured] = []
        self._model: nn.Module = self._defense.before(self._victim.model, seed=request.seed)
        data = request.data.name
        self._name = row.name if data.startswith("gtsrb") else f"{row.name}@{data.split(' ', maxsplit=1)[0]}"

    def clean(self) -> Number:
        passes = CLEAN_PASSES if getattr(self._model, "randomised", False) else 1
        request, trial = self._request, self._trial
        found = clean_accuracy(self._model, trial.images, self._labels, passes=passes, seed=request.seed)
        low, high = found.interval
        paper, how = self._paper.get("clean"), self._setting(None, passes)
        return Number(self._name, "clean", 100 * found.value, 100 * low, 100 * high, found.images, paper, how)

    def attacked(self, attack: Setting, report: Report) -> Number:
        request, trial = self._request, self._trial
        if attack.samples and not getattr(self._model, "randomised", False):
            attack = replace(attack, samples=0)  # an average over passes that are all alike
        measured = attack_all(
            self._model,
            trial.images,
            self._labels,
            attack,
            cache=attack_cache(
                request.cache,
                self._victim.described,
                self._defense.described,
                attack,
                size=trial.size,
                seed=request.seed,
                batch_size=request.batch_size,
            ),
            seed=request.seed,
            batch_size=request.batch_size,
            report=lambda done: report(f"{attack.name} on {self._name}", done, len(trial.images)),
        )
        self._measured.append(measured)
        return percentage(
            self._name,
            attack.name,
            measured.robust,
            paper=self._paper.get(attack.name),
            setting=self._setting(attack, 1),
        )

    def _flags(self) -> list[str]:
        """Return what may mislead in the row's attacks; it stands beside the row's clean accuracy."""
        randomised = bool(getattr(self._model, "randomised", False))
        return result_flags(self._measured, randomised=randomised, repeats=1) if self._measured else []

    def _setting(self, attack: Setting | None, passes: int) -> str:
        trial = self._trial
        budget = None if attack is None or attack.epsilon is None else f"{255 * attack.epsilon:g}/255"
        gone_round = attack is not None and attack.uses == "gradients" and self._defense.defense is not None
        return described(
            data=f"{trial.data} ({trial.clean.total} images, {trial.clean.hits} right)",
            model=self._victim.described,
            defense=self._defense.described,
            size=f"{trial.size[1]}x{trial.size[0]} px",
            passes=passes if passes > 1 else None,
            may_mislead=" / ".join(self._flags()) or None if attack is None else None,
            epsilon=budget,
            averaged=f"{attack.samples} passes a gradient" if attack is not None and attack.samples else None,
            backwards="identity (BPDA)" if gone_round and not self._defense.defense.differentiable else None,
            seed=self._request.seed,
            paper=self._papers_data,
        )


def _labels(victim: Victim, request: RainRequest, trial: Trial) -> Tensor:
    """Return what another model calls the classes of the trial's images."""
    drawn = request.data.subset(trial.numbers)
    return torch.from_numpy(targets_of(victim, drawn)).to(request.device)
