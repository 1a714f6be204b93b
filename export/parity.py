"""Parity: does the exported model answer as its original does?"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from edge.golden import Golden
from edge.manifest import INPUT, SCORE, Parity, RainNoise
from edge.noise import SEED_BYTES, NoiseStream
from edge.runtime import why
from export.graph import DeployedClassifier
from natadv.errors import BundleError

TOLERANCE: Final = 1e-3  # of a logit; float32 on two runtimes differs by some 1e-5 (resnet18, slim net)
_BATCH: Final = 64
_FATAL: Final = 4  # of the runtime's log
_ENLARGED: Final = (3, 2)  # rows and columns for each of a frame's own


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What two models said of the same frames.

    Attributes:
        parity: how far they were apart.
        logits: the original's, float32 (n, classes).
        noise: that both were given, by input, a row a frame.
        scores: the original detector's, float32 (n,); None: it has none.
    """

    parity: Parity
    logits: NDArray[np.float32]
    noise: dict[str, NDArray[np.int32]]
    scores: NDArray[np.float32] | None = None


def compare(
    original: DeployedClassifier,
    model_bytes: bytes,
    batches: Iterable[NDArray[np.uint8]],
    *,
    tolerance: float = TOLERANCE,
) -> Comparison:
    """Run frames through the original and the exported model, with the same noise, on the CPU.

    Args:
        original: the torch model that was exported; used in eval mode.
        model_bytes: the exported model.
        batches: frames, uint8 RGB (n, h, w, 3), any number at a time.
        tolerance: largest difference of any logit or probability that passes.

    Raises:
        ValueError: if there are no frames.
        BundleError: if the two differ by more, or the original does not even agree with itself.
    """
    original = original.eval()
    session, stream = open_cpu(model_bytes), steady_noise(original.noise)
    worst, count, kept, scores = 0.0, 0, [], []
    for frames in batches:
        feed: dict[str, NDArray[Any]] = {INPUT: frames, **stream(count, len(frames))}
        expected = _torch(original, feed)
        if count == 0 and not np.array_equal(expected[1], _torch(original, feed)[1], equal_nan=True):
            raise BundleError("the torch model answers the same frames differently each time; not exported")
        got = session.run(list(original.outputs), feed)
        for ours, theirs in zip(got, expected, strict=True):
            difference = np.abs(ours - theirs).max()
            worst = max(worst, float(difference) if np.isfinite(difference) else np.inf)
        kept.append(expected[1])
        scores.extend([expected[original.outputs.index(SCORE)]] if SCORE in original.outputs else [])
        count += len(frames)
    if not count:
        raise ValueError("expected at least one frame to compare on, got none")
    if worst > tolerance:
        raise BundleError(
            f"the exported model differs from the torch model by {worst:.2g} on {count} images"
            f" (at most {tolerance:.2g} allowed); not written"
        )
    parity = Parity(images=count, max_difference=worst, tolerance=tolerance)
    return Comparison(parity, np.concatenate(kept), stream(0, count), np.concatenate(scores) if scores else None)


def difference(model_bytes: bytes, frames: NDArray[np.uint8], comparison: Comparison) -> float:
    """Return the largest difference of a logit from the original's, of another model on a comparison's first frames.

    Raises:
        BundleError: if a logit is no number, or the detector, which nothing reduces, gives another score.
    """
    session, worst = open_cpu(model_bytes), 0.0
    for start in range(0, len(frames), _BATCH):
        part = slice(start, min(start + _BATCH, len(frames)))
        chance = {name: values[part] for name, values in comparison.noise.items()}
        (logits,) = session.run(["logits"], {INPUT: frames[part], **chance})
        worst = max(worst, float(np.abs(logits - comparison.logits[part]).max(initial=0)))
        if not np.isfinite(logits).all():
            raise BundleError("reduced, the model gives logits that are no numbers; not written")
        if comparison.scores is not None:
            (scores,) = session.run([SCORE], {INPUT: frames[part], **chance})
            apart = float(np.abs(scores - comparison.scores[part]).max(initial=0))
            if not apart <= comparison.parity.tolerance:
                raise BundleError(f"reduced, the model's detector gives scores that differ by {apart:.2g}; not written")
    return worst


def check_sizes(model_bytes: bytes, golden: Golden, share: float) -> None:
    """Refuse a model of any size that does not see an enlarged frame as the frame.

    Each pixel is repeated, so that resizing gives back just what was there.

    Args:
        model_bytes: the exported model.
        golden: frames at the model's own size with the chance that they are given.
        share: largest difference of a logit that passes, of the largest logit (at least of 1).

    Raises:
        BundleError: if it differs by more.
    """
    session = open_cpu(model_bytes)
    (expected,) = session.run(["logits"], golden.feed)
    rows, columns = _ENLARGED
    enlarged = golden.frames.repeat(rows, axis=1).repeat(columns, axis=2)
    (got,) = session.run(["logits"], {**golden.feed, INPUT: enlarged})
    worst, most = float(np.abs(got - expected).max()), share * max(1.0, float(np.abs(expected).max()))
    if not worst <= most:
        raise BundleError(
            f"the exported model sees another picture in an enlarged frame: its logits differ by {worst:.2g}"
            f" (at most {most:.2g} allowed); not written"
        )


def steady_noise(noise: RainNoise | None) -> Callable[[int, int], dict[str, NDArray[np.int32]]]:
    """Return a function that gives the noise of `count` frames from a first number on, the same in every export."""
    if noise is None:
        return lambda first, count: {}
    stream = NoiseStream(noise, bytes(SEED_BYTES))
    return lambda first, count: stream.at(range(first, first + count))


def open_cpu(model_bytes: bytes) -> onnxruntime.InferenceSession:
    """Open an exported model on the CPU, to measure it where every machine can.

    Raises:
        BundleError: if the runtime takes it for no model.
    """
    settings = onnxruntime.SessionOptions()
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    settings.log_severity_level = _FATAL  # its log repeats what its exceptions say
    try:
        return onnxruntime.InferenceSession(model_bytes, settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's errors share no base of their own
        raise BundleError(f"ONNX Runtime cannot load the exported model: {why(error)}; not written") from error


def _torch(model: DeployedClassifier, feed: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
    with torch.no_grad():
        return [output.numpy() for output in model(**{name: torch.from_numpy(values) for name, values in feed.items()})]
