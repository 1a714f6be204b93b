"""What RAIN costs on ONNX Runtime beside its bare classifier, with our super-resolution and with the paper's EDSR.

Weights are random: they cost the same as trained ones.
"""

from typing import Any

import onnxruntime as ort
import torch
from torch import Generator

from natadv.evaluation.latency import IN_A_ROW, alone, behind_rain, medians_in_turn
from natadv.models.classifier import create_classifier
from natadv.models.super_resolution.create import (
    DEFAULT_NETWORK,
    EDSR_BASELINE,
    PHOTOGRAPH_NETWORK,
    create_super_resolution,
)

CASES = ((64, "natadv_slim", 43, DEFAULT_NETWORK), (224, "mobilenetv2_100", 1000, PHOTOGRAPH_NETWORK))


def measure(*, runs: int = 30) -> list[dict[str, Any]]:
    """Return the rows of this benchmark for benchmarks/results.json.

    Args:
        runs: of images one after the other, of which the medians are taken; a tenth as many where EDSR is among them.
    """
    return [_row(*case, runs) for case in CASES]


def _row(side: int, name: str, classes: int, network: str, runs: int) -> dict[str, Any]:
    classifier = create_classifier(name, tuple(map(str, range(classes))), (side, side)).eval()
    batch = torch.rand(1, 3, side, side, generator=Generator().manual_seed(0))
    bare = alone(classifier, batch)
    ours, edsr = (
        behind_rain(classifier, batch, create_super_resolution(one).eval()) for one in (network, EDSR_BASELINE)
    )
    bare_s, ours_s = medians_in_turn([bare, ours], runs)
    again_s, edsr_s = medians_in_turn([bare, edsr], max(3, runs // 10))
    return {
        "name": f"rain_over_bare_{side}",
        "ratio": ours_s / bare_s,
        "ours": 1e3 * ours_s / IN_A_ROW,
        "reference": 1e3 * bare_s / IN_A_ROW,
        "reference_name": f"{name} alone",
        "unit": "ms an image",
        "better": "lower",
        "note": f"RAIN with {network} at {side} px, one image at once, ONNX Runtime {ort.__version__}, one thread; "
        f"with {EDSR_BASELINE} {edsr_s / again_s:.1f} times the bare one",
    }
