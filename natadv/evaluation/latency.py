"""What a defence costs: a classifier behind RAIN on ONNX Runtime, beside the classifier alone.

The graph takes RAIN's noise as inputs, as a deployed one does; drawing the noise is part of a run. One image, one
thread of the CPU.
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


class Deployed(nn.Module):
    """RAIN and a classifier with the noise as inputs."""

    def __init__(self, rain: Rain, classifier: nn.Module) -> None:
        super().__init__()
        self.rain, self.classifier = rain, classifier

    def forward(self, batch: Tensor, pick: Tensor, shift: Tensor) -> Tensor:
        """Map a batch, (n, 3, h, w), and its noise to logits."""
        return self.classifier(self.rain(batch, Noise(pick, shift)))


def alone(classifier: nn.Module, batch: Tensor) -> Callable[[], Any]:
    """Return a run of a classifier on a batch, (1, 3, h, w)."""
    session, feed = _session(classifier, (batch,), ("image",)), {"image": batch.numpy()}
    return lambda: session.run(None, feed)


def behind_rain(classifier: nn.Module, batch: Tensor, upsampler: nn.Module) -> Callable[[], Any]:
    """Return a run of a classifier on a batch, (1, 3, h, w), behind RAIN with this network, folded where it folds."""
    rain = Rain(deployed(upsampler)).eval()
    size = (batch.shape[-2], batch.shape[-1])
    noise = rain.draw(1, size, Generator().manual_seed(0))
    session = _session(Deployed(rain, classifier), (batch, noise.pick, noise.shift), ("image", "pick", "shift"))
    image, rng = batch.numpy(), np.random.default_rng(0)
    halves = (-(-size[0] // 2), -(-size[1] // 2))
    reach = rain.reach(size)

    def run() -> Any:
        pick = rng.integers(4, size=(1, 1, *halves), dtype=np.int32)
        shift = np.rint(rng.uniform(-1, 1, (1, 2)) * reach).astype(np.int32)
        return session.run(None, {"image": image, "pick": pick, "shift": shift})

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
