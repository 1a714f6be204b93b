"""Open a bundle as the device does, and say whether what came of it may be.

Allowed is to be refused by one line that names the bundle, or to be what the manifest says: the digests, the labels,
the golden answers, the same again, and nothing from outside of the bundle. Whatever else is a failure.
"""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import onnxruntime

from edge.bundle import GOLDEN, MANIFEST, MODEL
from edge.classifier import Classifier
from natadv.errors import NatadvError

REFUSED, LOADED = "refused", "loaded"
WEIGHTS = ("weights.bin", "../elsewhere/weights.bin")
_MOST_CHARACTERS = 500
# The allocator's own words. They mean that only the limits of this test saved the machine.
_STARVED = ("bad_alloc", "MemoryError", "Failed to allocate memory", "Cannot allocate memory", "Unable to allocate")


def outcome(folder: Path) -> tuple[str, str]:
    """Return (what came of it, more about it)."""
    try:
        with Classifier(folder, device="cpu", threads=1) as classifier:
            wrong = _wrong(classifier, folder)
        return ("wrong", wrong) if wrong else (LOADED, "")
    except NatadvError as error:
        return _line(str(error), folder)
    except Exception as error:  # noqa: BLE001  # that it is none of ours is what is told
        return "traceback", f"{type(error).__name__}: {str(error)[:300]!r}"


def _line(text: str, folder: Path) -> tuple[str, str]:
    for said in _STARVED:
        if said in text and "on trial" not in text:
            return "starved", text[:300]
    if not text.isprintable() or len(text) > _MOST_CHARACTERS + len(str(folder)):
        return "no line", repr(text[:300])
    if str(folder) not in text:
        return "nameless", text[:300]
    return REFUSED, text


def _wrong(classifier: Classifier, folder: Path) -> str:
    """Say how a classifier differs from what its files say; empty where it does not."""
    content = json.loads((folder / MANIFEST).read_bytes())
    for name, said in ((MODEL, content["model_sha256"]), (GOLDEN, content["golden_sha256"])):
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != said:
            return f"{name} is not of the manifest's digest"
    if classifier.digest != content["model_sha256"] or list(classifier.labels) != content["labels"]:
        return "another digest, or other labels"
    with np.load(io.BytesIO((folder / GOLDEN).read_bytes())) as golden:
        frames, logits = golden["frames"], golden["logits"].astype(np.float64)
    numbers = range(len(frames))
    found = classifier.probabilities(frames, numbers)
    others = classifier.probabilities(255 - frames, numbers)
    for answer in (found, others):
        if answer.shape != (len(frames), len(content["labels"])) or not np.allclose(answer.sum(axis=1), 1, atol=1e-2):
            return f"no probabilities: {answer.tolist()}"
    exponentials = np.exp((logits - logits.max(axis=1, keepdims=True)) / content["temperature"])
    if classifier.noise is None and not np.allclose(
        found, exponentials / exponentials.sum(axis=1, keepdims=True), atol=5e-3
    ):
        return f"golden answers differ: {found.tolist()}"
    if not np.array_equal(found, classifier.probabilities(frames, numbers)):
        return "the same frames, another answer"
    return _outside((folder / MODEL).read_bytes())


def _outside(model: bytes) -> str:
    """Say what a model lacks once the weights that lay outside of its file are gone."""
    for weights in WEIGHTS:
        Path(weights).unlink(missing_ok=True)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001  # its errors share no base
        return f"its weights were outside: {error}"
    return ""
