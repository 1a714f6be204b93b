"""What RAIN costs on ONNX Runtime beside its bare classifier, with our super-resolution and with the paper's EDSR.

The graph takes RAIN's noise as inputs, as a deployed one does; drawing it is counted. Weights are random: they cost
the same as trained ones. One thread on the CPU.
"""

import io
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from torch import Generator, Tensor, nn

from benchmarks.in_turn import in_turn
from natadv.defenses.rain import Noise, Rain
from natadv.models.classifier import create_classifier
from natadv.models.super_resolution.compact import CompactSr
from natadv.models.super_resolution.create import DEFAULT_NETWORK, EDSR_BASELINE, create_super_resolution

CASES = ((64, "natadv_slim", 43), (224, "mobilenetv2_100", 1000))


class Deployed(nn.Module):
    """RAIN and a classifier with the noise as inputs."""

    def __init__(self, rain: Rain, classifier: nn.Module) -> None:
        super().__init__()
        self.rain, self.classifier = rain, classifier

    def forward(self, batch: Tensor, pick: Tensor, shift: Tensor) -> Tensor:
        """Map a batch, (n, 3, h, w), and its noise to logits."""
        return self.classifier(self.rain(batch, Noise(pick, shift)))


def measure(*, runs: int = 60) -> list[dict[str, Any]]:
    """Return the rows of this benchmark for benchmarks/results.json.

    Args:
        runs: single images of which the medians are taken; a fifteenth as many where EDSR is among them.
    """
    return [_row(side, name, classes, runs) for side, name, classes in CASES]


def _row(side: int, name: str, classes: int, runs: int) -> dict[str, Any]:
    labels = tuple(map(str, range(classes)))
    classifier = create_classifier(name, labels, (side, side)).eval()
    batch = torch.rand(1, 3, side, side, generator=Generator().manual_seed(0))
    bare = _session(classifier, (batch,), ("image",))
    feed = {"image": batch.numpy()}

    def alone() -> None:
        bare.run(None, feed)

    ours, edsr = (_defended(classifier, batch, network) for network in (DEFAULT_NETWORK, EDSR_BASELINE))
    bare_s, ours_s = in_turn([alone, ours], runs)
    again_s, edsr_s = in_turn([alone, edsr], max(3, runs // 15))
    return {
        "name": f"rain_over_bare_{side}",
        "ratio": ours_s / bare_s,
        "ours": 1e3 * ours_s,
        "reference": 1e3 * bare_s,
        "reference_name": f"{name} alone",
        "unit": "ms an image",
        "better": "lower",
        "note": f"RAIN with {DEFAULT_NETWORK} at {side} px, one image, ONNX Runtime {ort.__version__}, one thread; "
        f"with {EDSR_BASELINE} {edsr_s / again_s:.1f} times the bare one",
    }


def _defended(classifier: nn.Module, batch: Tensor, network: str) -> Any:
    upsampler = create_super_resolution(network).eval()
    if isinstance(upsampler, CompactSr):
        upsampler = upsampler.folded()
    rain = Rain(upsampler).eval()
    size = (batch.shape[-2], batch.shape[-1])
    noise = rain.draw(1, size, Generator().manual_seed(0))
    given = (batch, noise.pick, noise.shift)
    session = _session(Deployed(rain, classifier), given, ("image", "pick", "shift"))
    image, rng = batch.numpy(), np.random.default_rng(0)
    halves = (-(-size[0] // 2), -(-size[1] // 2))
    most = int(rain.share * halves[0])

    def run() -> None:
        pick = rng.integers(4, size=(1, 1, *halves), dtype=np.int32)
        shift = rng.integers(-most, most + 1, size=(1, 2), dtype=np.int32)
        session.run(None, {"image": image, "pick": pick, "shift": shift})

    return run


def _session(model: nn.Module, given: tuple[Any, ...], names: tuple[str, ...]) -> ort.InferenceSession:
    written = io.BytesIO()
    program = torch.onnx.export(model, given, opset_version=18, dynamo=True, input_names=list(names), verbose=False)
    program.optimize()
    program.save(written)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(written.getvalue(), options, providers=["CPUExecutionProvider"])
