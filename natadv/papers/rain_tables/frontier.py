"""The frontier of RAIN's super-resolution: what each network costs, keeps and withstands. Ours, not the paper's."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from torch import Generator

from natadv.attacks.suite import setting, settings_of
from natadv.data.draw import draw
from natadv.data.kin import counted_by
from natadv.defenses.rain import Rain
from natadv.errors import ConfigError
from natadv.evaluation.flags import result_flags, result_of
from natadv.evaluation.kin_rates import clean_passes, robust_rate
from natadv.evaluation.latency import IN_A_ROW, alone, behind_rain, deployed, medians_in_turn
from natadv.evaluation.rates import KinRate
from natadv.evaluation.robustness import CLEAN_PASSES, bench_digest
from natadv.papers.number import Number, percentage
from natadv.papers.number import setting as described
from natadv.papers.panels import as_png
from natadv.papers.rain_tables.tables import RainRequest, attacked
from natadv.progress import Report, nth
from natadv.training.defenses import NONE, OpenedDefense, defense_flags, open_defense
from natadv.training.rain.checkpoint import load_network
from natadv.training.trial import try_model
from natadv.training.victim import open_victim

TITLE = "What RAIN's super-resolution costs, keeps and withstands, by network"
ATTACKS = ("fgsm", "eot-pgd-margin")
BARE = "CNN-only"
"""The row of the classifier without a defence."""
COST = "latency over bare"


def draw_frontier(
    request: RainRequest, networks: Sequence[str], report: Report, *, runs: int = 20
) -> tuple[bytes, list[Number]]:
    """Return the frontier as PNG, and its numbers, a row a network, after one of the bare classifier.

    Args:
        request: classifier and images; "clean of all" is the accuracy on all images of the data, whatever the count.
        networks: rain.pt of each, or "bicubic".
        report: told what is attacked, and how many of how many images are done.
        runs: of which the medians of the latencies are taken.

    Raises:
        ConfigError: if no network is named, or one twice.
        DataError: if a file is missing or damaged, or classes do not match.
    """
    if not networks:
        raise ConfigError("--frontier: name a rain.pt or more")
    victim = open_victim(request.models.standard, request.device)
    trial = try_model(victim, draw(request.data, count=request.count, seed=request.seed), device=request.device)
    whole = try_model(victim, draw(request.data, count=None, seed=request.seed), device=request.device)
    said = {"data": f"{trial.data} ({trial.clean.hits} images)", "model": victim.described, "seed": request.seed}
    of_all = {**said, "data": f"{whole.data} ({whole.clean.total} images)"}
    counted = {"interval": counted_by(trial.kin)}
    counted_of_all = {"interval": counted_by((*whole.kin, *whole.missed.kin))}
    image = torch.rand(1, 3, *trial.size, generator=Generator().manual_seed(0))
    bare, numbers = alone(victim.model.cpu(), image), []
    rows, cells = {BARE: open_defense(NONE), **_named(networks)}, count(1)
    for row, defense in rows.items():
        cost, weights = 1.0, 0
        if isinstance(defense.defense, Rain):
            upsampler = defense.defense.upsampler
            bare_s, ours_s = medians_in_turn([bare, behind_rain(victim.model.cpu(), image, upsampler.cpu())], runs)
            cost, weights = ours_s / bare_s, sum(weight.numel() for weight in deployed(upsampler).parameters())
        once = described(**said, defense=defense.described, interval="none", threads="one, ONNX Runtime")
        model = defense.before(victim.model, seed=request.seed).to(request.device)
        randomised = bool(getattr(model, "randomised", False))
        found = []
        for name in ATTACKS:
            told = nth(report, next(cells), len(rows) * len(ATTACKS))
            measured = attacked(
                request,
                setting(name) if randomised else replace(setting(name), samples=0),
                model,
                (victim.described, defense.described),
                trial.images,
                trial.labels,
                report=lambda done, what=f"{name} on {row}", told=told: told(what, done, len(trial.images)),
            )
            found.append(measured)
        flags = result_flags([result_of(one, trial.kin) for one in found], randomised=randomised, repeats=1)
        flags += defense_flags(defense, victim.described, trial.size)
        passes, mislead = CLEAN_PASSES if randomised else 1, " / ".join(flags) or None
        clean, (right, right_of), (missed, missed_of) = (
            clean_passes(model, some.images, some.labels, some.kin, passes=passes, seed=request.seed)
            for some in (trial, whole, whole.missed)
        )
        how = described(**said, defense=defense.described, passes=passes, may_mislead=mislead, **counted)
        all_how = described(**of_all, defense=defense.described, passes=passes, **counted_of_all)
        numbers += [
            Number(row, "thousand weights", weights / 1e3, None, None, 1, None, once),
            Number(row, COST, cost, None, None, runs * IN_A_ROW, None, once),
            _clean(row, "clean of all", KinRate.of(right + missed, right_of + missed_of), whole.clean.total, all_how),
            _clean(row, "clean", KinRate.of(*clean), len(trial.images), how),
        ]
        for one in found:
            asked = {"attack": settings_of(one.setting), "code": bench_digest(one.setting)}
            how = described(**said, defense=defense.described, **asked, **counted)
            numbers.append(percentage(row, one.setting.name, robust_rate(one, trial.kin), paper=None, setting=how))
    return _picture(numbers), numbers


def _clean(row: str, column: str, rate: KinRate, images: int, how: str) -> Number:
    """Return an accuracy over several passes of so many images."""
    low, high = rate.interval
    return Number(row, column, 100 * rate.value, 100 * low, 100 * high, images, None, how)


def _named(networks: Sequence[str]) -> dict[str, OpenedDefense]:
    """Open networks; several of one architecture are told apart by their files' digests."""
    opened = [("bicubic" if spec == "bicubic" else load_network(Path(spec)), spec) for spec in networks]
    names = [one if isinstance(one, str) else one.name for one, _ in opened]
    found: dict[str, OpenedDefense] = {}
    for (one, spec), name in zip(opened, names, strict=True):
        row = name if names.count(name) == 1 or isinstance(one, str) else f"{name} {one.digest[:6]}"
        if row in found:
            raise ConfigError(f"--frontier {spec}: named twice")
        found[row] = open_defense(f"rain:{spec}")
    return found


def _picture(numbers: Sequence[Number]) -> bytes:
    by_place = {number.place: number for number in numbers}
    rows = sorted(dict.fromkeys(number.row for number in numbers), key=lambda row: by_place[row, COST].ours)
    figure = Figure(figsize=(7.5, 1.4 + 0.32 * len(rows)), dpi=150, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    cost, accuracy = figure.subplots(1, 2, sharey=True, width_ratios=(1, 2))
    places = range(len(rows))
    across = [by_place[row, COST].ours for row in rows]
    cost.barh(places, across, color="tab:gray", height=0.5)
    for at in zip(across, places, strict=True):
        cost.annotate(f"{at[0]:.3g}", at, xytext=(3, 0), textcoords="offset points", fontsize=7, va="center")
    cost.set_xscale("log")
    cost.set_xlim(0.8, 3 * max(across))  # room for the numbers
    cost.xaxis.set_major_formatter("{x:g}")
    cost.xaxis.set_minor_formatter(NullFormatter())
    cost.set_yticks(places, rows, fontsize=8)
    cost.invert_yaxis()
    cost.set_xlabel("latency over bare")
    for column, marker in (("clean", "o"), *zip(ATTACKS, "s^", strict=True)):
        found = [by_place[row, column] for row in rows]
        below = [number.ours - (number.low or 0) for number in found]
        above = [(number.high or 100) - number.ours for number in found]
        ours = [number.ours for number in found]
        accuracy.errorbar(ours, places, xerr=(below, above), fmt=marker, markersize=4, capsize=3, label=column)
    accuracy.set_xlim(-2, 102)
    accuracy.set_xlabel("accuracy (%)")
    accuracy.grid(alpha=0.3)
    figure.suptitle(f"{by_place[rows[0], 'clean'].n} images, 95 % intervals", fontsize=9)
    figure.legend(fontsize=8, loc="outside lower center", ncols=1 + len(ATTACKS))
    return as_png(canvas)
