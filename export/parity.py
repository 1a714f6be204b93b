"""Parity: does the exported model answer as its original does?"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from edge.manifest import INPUT, OUTPUTS, Parity
from export.graph import DeployedClassifier
from natadv.errors import BundleError

TOLERANCE: Final = 1e-3  # of a logit; float32 on two runtimes differs by some 1e-5 (resnet18, slim net)


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What two models said of the same frames.

    Attributes:
        parity: how far they were apart.
        logits: the original's, float32 (n, classes).
    """

    parity: Parity
    logits: NDArray[np.float32]


def compare(
    classifier: nn.Module,
    model_bytes: bytes,
    batches: Iterable[NDArray[np.uint8]],
    *,
    tolerance: float = TOLERANCE,
) -> Comparison:
    """Run frames through the original and the exported model, on the CPU.

    Args:
        classifier: the torch model that was exported; used in eval mode.
        model_bytes: the exported model.
        batches: frames, uint8 RGB (n, h, w, 3), any number at a time.
        tolerance: largest difference of any logit or probability that passes.

    Raises:
        ValueError: if there are no frames.
        BundleError: if the two differ by more, or the original does not even agree with itself.
    """
    original = DeployedClassifier(classifier).eval()
    session = open_cpu(model_bytes)
    worst, count, kept = 0.0, 0, []
    for frames in batches:
        expected = _torch(original, frames)
        if count == 0 and not np.array_equal(expected[1], _torch(original, frames)[1], equal_nan=True):
            raise BundleError("the torch model answers the same frames differently each time; not exported")
        got = session.run(OUTPUTS, {INPUT: frames})
        for ours, theirs in zip(got, expected, strict=True):
            difference = np.abs(ours - theirs).max()
            worst = max(worst, float(difference) if np.isfinite(difference) else np.inf)
        kept.append(expected[1])
        count += len(frames)
    if not count:
        raise ValueError("expected at least one frame to compare on, got none")
    if worst > tolerance:
        raise BundleError(
            f"the exported model differs from the torch model by {worst:.2g} on {count} images"
            f" (at most {tolerance:.2g} allowed); not written"
        )
    return Comparison(Parity(images=count, max_difference=worst, tolerance=tolerance), np.concatenate(kept))


def open_cpu(model_bytes: bytes) -> onnxruntime.InferenceSession:
    """Open an exported model on the CPU, to measure it where every machine can."""
    settings = onnxruntime.SessionOptions()
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model_bytes, settings, providers=["CPUExecutionProvider"])


def _torch(model: nn.Module, frames: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    with torch.no_grad():
        probabilities, logits = model(torch.from_numpy(frames))
    return probabilities.numpy(), logits.numpy()
