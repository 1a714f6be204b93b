"""What a defence costs: a classifier behind RAIN on ONNX Runtime, beside the classifier alone.

The graph takes RAIN's noise as inputs, as a deployed one does. A run is of several images one after the other, as a
camera gives them, and begins by drawing the noise of all, as edge.noise does: drawn between two images, it costs ten
times what it does by itself, because the model has emptied the caches. One image at once, one thread of the CPU.
"""

import io
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from torch import Generator, Tensor, nn

from natadv.defenses.rain import Noise, Rain
from natadv.models.super_resolution.compact import CompactSr

IN_A_ROW = 16
"""Images of a run, as many as `edge.noise` draws ahead for."""


class Deployed(nn.Module):
    """RAIN and a classifier with the noise as inputs."""

    def __init__(self, rain: Rain, classifier: nn.Module) -> None:
        super().__init__()
        self.rain, self.classifier = rain, classifier

    def forward(self, batch: Tensor, pick: Tensor, shift: Tensor) -> Tensor:
        """Map a batch, (n, 3, h, w), and its noise to logits."""
        return self.classifier(self.rain(batch, Noise(pick, shift)))


def alone(classifier: nn.Module, batch: Tensor) -> Callable[[], object]:
    """Return a run of a classifier `IN_A_ROW` times on a batch, (1, 3, h, w)."""
    session, feed = _session(classifier, (batch,), ("image",)), {"image": batch.numpy()}

    def run() -> None:
        for _ in range(IN_A_ROW):
            session.run(None, feed)

    return run


def behind_rain(classifier: nn.Module, batch: Tensor, upsampler: nn.Module) -> Callable[[], object]:
    """Return such a run behind RAIN with this network, folded where it folds; each image has noise of its own."""
    rain = Rain(deployed(upsampler)).eval()
    size = (batch.shape[-2], batch.shape[-1])
    noise = rain.draw(1, size, Generator().manual_seed(0))
    session = _session(Deployed(rain, classifier), (batch, noise.pick, noise.shift), ("image", "pick", "shift"))
    image, rng = batch.numpy(), np.random.default_rng(0)
    halves = (-(-size[0] // 2), -(-size[1] // 2))
    reach = rain.reach(size)

    def run() -> None:
        picks = rng.integers(4, size=(IN_A_ROW, 1, 1, *halves), dtype=np.int32)
        shifts = np.rint(rng.uniform(-1, 1, (IN_A_ROW, 1, 2)) * reach).astype(np.int32)
        for pick, shift in zip(picks, shifts, strict=True):
            session.run(None, {"image": image, "pick": pick, "shift": shift})

    return run


def deployed(upsampler: nn.Module) -> nn.Module:
    """Return a super-resolution network as a device has it: folded, where it folds."""
    return upsampler.folded() if isinstance(upsampler, CompactSr) else upsampler


def medians_in_turn(
    works: list[Callable[[], object]], runs: int, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Return the median seconds of each work, done in turn, so that what else the machine does meets all alike.

    Args:
        works: what to measure.
        runs: rounds that count, after one that does not.
        clock: wall time, or `time.process_time` for the CPU time of all threads.
    """
    seconds: list[list[float]] = [[] for _ in works]
    for run in range(runs + 1):
        for work, found in zip(works, seconds, strict=True):
            start = clock()
            work()
            if run:
                found.append(clock() - start)
    return [statistics.median(found) for found in seconds]


def _session(model: nn.Module, given: tuple[Any, ...], names: tuple[str, ...]) -> ort.InferenceSession:
    written = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's, about calls of its own
        program = torch.onnx.export(model, given, opset_version=18, dynamo=True, input_names=list(names), verbose=False)
        program.optimize()
    program.save(written)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(written.getvalue(), options, providers=["CPUExecutionProvider"])
