"""RAIN's tables I to VII: accuracy and robust accuracy, a row a defended classifier, a column an attack.

All rows stand on the same images, those that the bare standard classifier gets right (Eq. 2, 3). Results are cached
image by image, so a table that was stopped goes on, and tables share what they have in common.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import torch
from torch import Tensor, nn

from natadv.attacks.suite import Setting, check_queries, setting
from natadv.data.dataset import Dataset
from natadv.data.draw import draw
from natadv.data.kin import counted_by
from natadv.errors import ConfigError
from natadv.evaluation.alive import alive
from natadv.evaluation.flags import Result, result_flags, vanishing_flag
from natadv.evaluation.kin_rates import clean_passes, robust_rate
from natadv.evaluation.rates import KinRate
from natadv.evaluation.robustness import CLEAN_PASSES, Measured, attack_all, attack_cache, bench_digest
from natadv.papers.number import Number, percentage
from natadv.papers.number import setting as described
from natadv.papers.rain import COLUMNS, IMAGENET, STL10
from natadv.papers.rain_tables.rows import NEEDS, Models, Row, absent, rows
from natadv.papers.results import read_numbers
from natadv.progress import Report, nth
from natadv.training.defenses import OpenedDefense, defense_flags, open_defense
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
        results: folder of the tables, whose numbers of a row its flags are about.
        queries: an image's limit in attacks that have one; None for each one's own.
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
    results: Path | None = None
    queries: int | None = None


_OF_ONE_KIND = (3, 4, 5)
"""Tables by gradients, by black boxes and by the mean, of the same defences."""
_SHARED = ("data", "model", "defense", "size", "seed")
_COUNTED = re.compile(r" \(\d+ images, \d+ right\)$")


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
    wanted = _wanted(rows(table, request.models), request)
    columns = [column for column in COLUMNS[table] if request.columns is None or column in request.columns]
    cells = count(1)
    for row in wanted:
        paper = beside.get(table, {}).get(row.name, {})
        work = _Work(request, trial, row, "ImageNet" if beside is IMAGENET else "STL-10", paper)
        for column in columns:
            yield work.attacked(
                setting(column).within(request.queries), nth(report, next(cells), len(wanted) * len(columns))
            )
        yield work.clean(_kept(request, table))  # in any case: the row's flags stand beside it


def _wanted(planned: Iterable[Row], request: RainRequest) -> list[Row]:
    return [row for row in planned if request.only is None or row.name in request.only]


def _kept(request: RainRequest, table: int) -> tuple[Number, ...]:
    """Return what the table has by now; who takes numbers one by one has written those that were yielded.

    Tables III to V are of the same rows, each with other attacks: what misleads shows where they are seen together.
    """
    if request.results is None:
        return ()
    paths = [request.results / f"table-{one}.csv" for one in (_OF_ONE_KIND if table in _OF_ONE_KIND else (table,))]
    return tuple(number for path in paths if path.exists() for number in read_numbers(path))


def check_tables(tables: Sequence[int], request: RainRequest) -> None:
    """Refuse, before anything is attacked, names that no table has and files that are not there.

    Raises:
        ConfigError: if there is no such row or column, model or defence, or no attack has the limit given.
        DataError: if a file is missing or damaged.
    """
    planned = [row for table in tables for row in rows(table, request.models)]
    names = dict.fromkeys(row.name for row in planned)
    columns = dict.fromkeys(("clean", *(column for table in tables for column in COLUMNS[table])))
    for option, given, there in (("--row", request.only, names), ("--attack", request.columns, columns)):
        for name in given or ():
            if name not in there:
                needs = f"; {name} needs {NEEDS[name]}" if option == "--row" and name in absent(request.models) else ""
                raise ConfigError(f"{option} {name}: the tables asked for have {', '.join(there)}{needs}")
    asked = request.columns or columns
    check_queries(request.queries, [column for column in asked if column in columns and column != "clean"])
    wanted = _wanted(planned, request)
    for model in dict.fromkeys(row.model for row in wanted):
        open_victim(model, request.device)
    for defense in dict.fromkeys(row.defense for row in wanted):
        open_defense(defense)


def attacked(
    request: RainRequest,
    attack: Setting,
    model: nn.Module,
    described: tuple[str, str],
    images: Tensor,
    labels: Tensor,
    *,
    part: slice = slice(None),
    report: Callable[[int], None],
) -> Measured:
    """Attack images, or return what the request's cache has of that.

    Args:
        request: its cache, seed and batch size.
        attack: at its settings.
        model: a classifier, behind its defence.
        described: the classifier and the defence, as their files describe them.
        images: clean, (n, 3, h, w), RGB in [0, 1].
        labels: true classes, (n,).
        part: of the blocks, which to do; an empty one takes what is kept and attacks nothing.
        report: told how many images of these are done.
    """
    size = (images.shape[-2], images.shape[-1])
    chance = {"seed": request.seed, "batch_size": request.batch_size}
    cache = attack_cache(request.cache, *described, attack, size=size, device=images.device.type, **chance)
    with alive(model, report) as told:
        return attack_all(model, images, labels, attack, cache=cache, part=part, report=told, **chance)


class _Work:
    """A row in work."""

    def __init__(self, request: RainRequest, trial: Trial, row: Row, papers_data: str, paper: dict[str, float]) -> None:
        self._request, self._trial, self._row = request, trial, row
        self._papers_data, self._paper = papers_data, paper
        same = row.model == request.models.standard
        self._victim = trial.victim if same else open_victim(row.model, request.device)
        self._labels = trial.labels if same else _labels(self._victim, request, trial)
        self._defense: OpenedDefense = open_defense(row.defense)
        if self._defense.defense is not None:
            self._defense.defense.to(request.device)
        self._model: nn.Module = self._defense.before(self._victim.model, seed=request.seed)
        data = request.data.name
        self._name = row.name if data.startswith("gtsrb") else f"{row.name}@{data.split(' ', maxsplit=1)[0]}"

    def clean(self, kept: Sequence[Number]) -> Number:
        """Return the accuracy without an attack; what may mislead in what was kept of the row stands beside it."""
        passes = CLEAN_PASSES if self._randomised else 1
        request, trial = self._request, self._trial
        found = KinRate.of(
            *clean_passes(self._model, trial.images, self._labels, trial.kin, passes=passes, seed=request.seed)
        )
        low, high = found.interval
        paper, how = self._paper.get("clean"), self._setting(None, passes, self._flags(kept))
        return Number(self._name, "clean", 100 * found.value, 100 * low, 100 * high, len(trial.images), paper, how)

    def attacked(self, attack: Setting, report: Report) -> Number:
        """Return the accuracy under an attack."""
        total = len(self._trial.images)
        measured = self._measured(
            attack, slice(None), lambda done: report(f"{attack.name} on {self._name}", done, total)
        )
        paper, how = self._paper.get(attack.name), self._setting(measured.setting, 1, ())
        return percentage(self._name, attack.name, robust_rate(measured, self._trial.kin), paper=paper, setting=how)

    @property
    def _randomised(self) -> bool:
        return bool(getattr(self._model, "randomised", False))

    def _measured(self, attack: Setting, part: slice, report: Callable[[int], None]) -> Measured:
        request, trial = self._request, self._trial
        if attack.samples and not self._randomised:
            attack = replace(attack, samples=0)  # an average over passes that are all alike
        described = (self._victim.described, self._defense.described)
        return attacked(request, attack, self._model, described, trial.images, self._labels, part=part, report=report)

    def _flags(self, kept: Sequence[Number]) -> list[str]:
        """Return what may mislead in the row's numbers on this data, whichever run they are of."""
        found, randomised = [], self._randomised
        of_row = _parts(self._setting(None, 1, ()))
        for number in kept:
            if number.row != self._name or number.column == "clean" or _parts(number.setting) != of_row:
                continue
            attack = setting(number.column)
            attack = attack if randomised else replace(attack, samples=0)
            ends = ((number.low or 0) / 100, 1 if number.high is None else number.high / 100)
            found.append(Result(attack, KinRate(round(number.ours * number.n / 100), number.n, ends)))
        if not found:
            return []
        flags: list[str | None] = [*result_flags(found, randomised=randomised, repeats=1)]
        if any(one.setting.uses == "gradients" for one in found):
            flags.append(vanishing_flag(self._model, self._trial.images, self._labels, seed=self._request.seed))
        flags += defense_flags(self._defense, self._victim.described, self._trial.size)
        return [flag for flag in flags if flag]

    def _of_row(self) -> str:
        """Return how the settings of all numbers of this row on these images begin."""
        trial = self._trial
        return described(
            data=f"{trial.data} ({trial.clean.total} images, {trial.clean.hits} right)",
            model=self._victim.described,
        )

    def _setting(self, attack: Setting | None, passes: int, flags: Sequence[str]) -> str:
        budget = None if attack is None or attack.epsilon is None else f"{255 * attack.epsilon:g}/255"
        gone_round = attack is not None and attack.uses == "gradients" and self._defense.defense is not None
        rest = described(
            trained=self._victim.trained,
            defense=self._defense.described,
            size=f"{self._trial.size[1]}x{self._trial.size[0]} px",
            passes=passes if passes > 1 else None,
            may_mislead=" / ".join(flags) or None,
            epsilon=budget,
            queries=None if attack is None else attack.options.get("queries"),
            averaged=f"{attack.samples} passes a gradient" if attack is not None and attack.samples else None,
            interval=counted_by(self._trial.kin),
            backwards="identity (BPDA)" if gone_round and not self._defense.defense.differentiable else None,
            seed=self._request.seed,
            code=None if attack is None else bench_digest(attack),
            paper=self._papers_data,
        )
        return f"{self._of_row()}; {rest}"


def _parts(how: str) -> dict[str, str]:
    """Return those parts of a setting that all numbers of a row share, of however many images they are."""
    parts = {name: part for part in how.split("; ") for name in _SHARED if part.startswith(f"{name} ")}
    return {name: _COUNTED.sub("", part) for name, part in parts.items() if part}


def _labels(victim: Victim, request: RainRequest, trial: Trial) -> Tensor:
    """Return what another model calls the classes of the trial's images."""
    drawn = request.data.subset(trial.numbers)
    return torch.from_numpy(targets_of(victim, drawn)).to(request.device)
