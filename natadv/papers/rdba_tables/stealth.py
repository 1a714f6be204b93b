"""Stealth, which the paper argues by pictures: FID of triggered against clean test images, and a detector's AUC."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from natadv.backdoors.named import make_trigger
from natadv.backdoors.stealth import detector_scores
from natadv.batches import to_batch
from natadv.evaluation.fid import frechet_distance
from natadv.evaluation.resampled import KinBootstrap
from natadv.evaluation.roc import Scores, area_under_curve
from natadv.models.features import FeatureExtractor, onnx_features
from natadv.papers.number import Number
from natadv.papers.rdba_tables.request import RdbaRequest


def numbers(request: RdbaRequest, extractor: Path | None) -> Iterator[Number]:
    """Yield both, a row a trigger; without an extractor, the detector's alone.

    FID's sets do not overlap: every other test image is left clean and the others get the trigger. Its first row says
    how far clean halves lie apart, which no trigger can come below.
    """
    bench, test = request.bench, request.bench.test()
    even, odd = np.arange(0, len(test), 2), np.arange(1, len(test), 2)
    network = onnx_features(extractor) if extractor is not None else None
    if network is not None:
        said = bench.setting(features=network.name, sets="other halves of the test images")
        left = _features(network, test.images[even])
        apart = frechet_distance(left, _features(network, test.images[odd]))
        yield Number("none", "FID", apart, None, None, len(odd), None, said)
    for name in request.triggers:
        poisoning = bench.poisoning(make_trigger(name))
        if network is not None:
            shown = np.stack([poisoning.triggered(test.images[index], int(index), test=True) for index in odd])
            apart = frechet_distance(left, _features(network, shown))
            yield Number(name, "FID", apart, None, None, len(odd), None, said)
        scores = detector_scores(bench.clean_training(), test, poisoning, device=bench.device, seed=bench.seed)
        area, low, high = _area(*scores, test.things, bench.seed)
        told = bench.setting(detector="natadv_slim, which knows the trigger, trained on the training images")
        told += f"; interval {test.counted}"
        yield Number(name, "detector's AUC", 100 * area, 100 * low, 100 * high, len(test), None, told)


def _area(clean: Scores, triggered: Scores, things: Sequence[str], seed: int) -> tuple[float, float, float]:
    """Return the area under the curve with its interval, which draws things, not images, where some are kin."""
    if len(set(things)) == len(things):
        return area_under_curve(clean, triggered)
    area = KinBootstrap(things, seed=seed).area(clean, things, triggered, things)
    return area.value, *area.interval


@torch.no_grad()
def _features(network: FeatureExtractor, images: NDArray[np.uint8]) -> torch.Tensor:
    batches = [images[start : start + 64] for start in range(0, len(images), 64)]
    return torch.cat([network(to_batch(batch, torch.device("cpu"))) for batch in batches])
