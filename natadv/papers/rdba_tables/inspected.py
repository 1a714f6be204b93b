"""What nobody needs the trigger for: the verdict of the inspection on each model of table 1, and STRIP as a filter."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from natadv.backdoors.inspect.screen import screen
from natadv.backdoors.inspect.thresholds import Thresholds, read_thresholds
from natadv.backdoors.inspect.verdict import Verdict, inspect_model
from natadv.backdoors.named import make_trigger
from natadv.backdoors.poison import Poisoning, triggered_test
from natadv.data.load import load_dataset
from natadv.data.poison_papers import read_papers
from natadv.evaluation.rates import KinRate
from natadv.models.classifier import Classifier
from natadv.papers.number import Number, percentage
from natadv.papers.rdba_tables.request import RdbaRequest, share
from natadv.training.pictures import Pictures, read_pictures

REJECTED = 0.05
"""Of clean inputs, what the filter may take for triggered."""


def numbers(request: RdbaRequest) -> Iterator[Number]:
    """Yield a row for the clean model and one for each trigger.

    `beyond clean` is what all methods say of a class, in deviations; above `limit` a model is `suspicious` (100, else
    0), and `class right` says whether it is the target's. Where it is, `listed, poison` is the share of the suspected
    pictures that are poison, and `poison listed` that of the poison that is suspected. `filtered` is the share of
    triggered test images that STRIP suspects, `clean filtered` that of clean ones which its limit was not chosen by.
    """
    bench, test = request.bench, request.bench.test()
    classes, thresholds = len(set(test.targets.tolist())), read_thresholds()
    for name in (None, *request.triggers):
        poisoning = None if name is None else bench.poisoning(make_trigger(name))
        model = request.model_of(poisoning)
        row = f"{bench.model}, {classes} classes, {name or 'clean'}"
        data = _learnt(request, poisoning)
        verdict = inspect_model(model, data, test, device=bench.device, seed=bench.seed, thresholds=thresholds)
        setting = bench.setting(calibration=thresholds.setting)
        yield from _said(row, verdict, thresholds, poisoning, setting, len(data))
        if poisoning is not None:
            if verdict.target == poisoning.target and len(verdict.suspected):
                yield from _listed(row, verdict, _poisoned(bench.poisoned_folder(poisoning)), setting)
            yield from _filtered(request, row, model, poisoning, test)


def _learnt(request: RdbaRequest, poisoning: Poisoning | None) -> Pictures:
    bench = request.bench
    folder = bench.clean_folder() if poisoning is None else bench.poisoned_folder(poisoning)
    return read_pictures(load_dataset(folder, "train"), (bench.size_px, bench.size_px))


def _poisoned(folder: Path) -> NDArray[np.int64]:
    """Return which pictures of a planted folder's training part are poison."""
    poisoned = {one.path for one in read_papers(folder).poisoned}
    keys = load_dataset(folder, "train").keys
    return np.array([place for place, key in enumerate(keys) if f"train/{key}" in poisoned], np.int64)


def _listed(row: str, verdict: Verdict, poisoned: NDArray[np.int64], setting: str) -> Iterator[Number]:
    hits = len(np.intersect1d(verdict.suspected, poisoned))
    for column, of in (("listed, poison", len(verdict.suspected)), ("poison listed", len(poisoned))):
        yield Number(row, column, 100 * hits / of, None, None, of, None, setting)


def _said(
    row: str, verdict: Verdict, thresholds: Thresholds, poisoning: Poisoning | None, setting: str, count: int
) -> Iterator[Number]:
    def number(column: str, value: float) -> Number:
        return Number(row, column, value, None, None, count, None, setting)

    yield number("beyond clean", verdict.most)
    yield number("limit", thresholds.with_clean.limit)
    yield number("suspicious", 100.0 * verdict.suspicious)
    if poisoning is not None:
        yield number("class right", 100.0 * (verdict.target == poisoning.target))


def _filtered(
    request: RdbaRequest, row: str, model: Classifier, poisoning: Poisoning, test: Pictures
) -> Iterator[Number]:
    bench = request.bench
    triggered = triggered_test(test, poisoning)
    found = screen(model, triggered.images, test, false_rejection=REJECTED, seed=bench.seed, device=bench.device)
    said = bench.setting(filter=f"STRIP, {100 * REJECTED:.0f} % of clean inputs may be suspected")
    caught = KinRate.of(found.suspected.tolist(), triggered.things)
    yield share(row, "filtered", caught, triggered, paper=None, setting=said)
    wrong = f"{said}; interval {found.counted}"
    yield percentage(row, "clean filtered", found.clean, paper=None, setting=wrong)
