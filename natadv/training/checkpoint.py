"""The checkpoint of a classifier: one file with all that is needed to rebuild it.

A dictionary of plain values and tensors, so that it loads with `weights_only=True` and runs no code. The weights
carry their own sha256, because a zip file's check sums are not looked at when torch reads it.
"""

import hashlib
import io
import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from natadv.durable import replace_file
from natadv.errors import ConfigError, DataError
from natadv.models.classifier import Classifier, create_classifier

FORMAT = "natadv-checkpoint/1"


@dataclass(frozen=True, slots=True)
class LoadedClassifier:
    """A classifier as read from its file.

    Attributes:
        model: on the CPU, in eval mode.
        labels: one label per logit.
        input_size: (height, width) in pixels.
        model_name: timm's name of the backbone.
        metrics: what was measured at the end of training, as `accuracy` (0..1), `accuracy_interval`, `images`.
        recipe: the settings that it was trained with.
        provenance: versions of the libraries, names and counts of the data.
        digest: sha256 of the file, in hex.
        training: state to resume from; None in a finished checkpoint.
    """

    model: Classifier
    labels: tuple[str, ...]
    input_size: tuple[int, int]
    model_name: str
    metrics: dict[str, Any]
    recipe: dict[str, Any]
    provenance: dict[str, Any]
    digest: str
    training: dict[str, Any] | None


def save_checkpoint(
    path: Path,
    model: Classifier,
    *,
    metrics: Mapping[str, Any],
    recipe: Mapping[str, Any],
    provenance: Mapping[str, Any],
    training: Mapping[str, Any] | None = None,
) -> None:
    """Write a classifier; the file appears under its name only when it is whole.

    All mappings hold plain values (numbers, strings, lists, dictionaries); `training` may hold tensors too.

    Raises:
        ResourceError: if the disk is full.
        DataError: if the file system refuses for another reason.
    """
    weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    content = {
        "format": FORMAT,
        "model_name": model.model_name,
        "model_kwargs": dict(model.model_kwargs),
        "labels": list(model.labels),
        "input_size": list(model.input_size),
        "weights": weights,
        "weights_sha256": _digest(weights),
        "metrics": dict(metrics),
        "recipe": dict(recipe),
        "provenance": dict(provenance),
        "training": None if training is None else dict(training),
    }
    written = io.BytesIO()
    torch.save(content, written)
    replace_file(path, written.getvalue())


def load_classifier(path: Path) -> LoadedClassifier:
    """Read a classifier back.

    Raises:
        DataError: if the file is missing, torn, altered, or no checkpoint of natadv.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    content = _content(path, data)
    try:
        model = create_classifier(
            content["model_name"],
            tuple(content["labels"]),
            (content["input_size"][0], content["input_size"][1]),
            **content["model_kwargs"],
        )
        model.load_state_dict(content["weights"])
        training = content["training"]
        return LoadedClassifier(
            model=model.eval(),
            labels=model.labels,
            input_size=model.input_size,
            model_name=model.model_name,
            metrics=dict(content["metrics"]),
            recipe=dict(content["recipe"]),
            provenance=dict(content["provenance"]),
            digest=hashlib.sha256(data).hexdigest(),
            training=None if training is None else dict(training),
        )
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError, ConfigError) as error:
        raise DataError(f"{path}: the checkpoint does not fit its own description ({_line(error)})") from error


def _content(path: Path, data: bytes) -> dict[str, Any]:
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, LookupError, ValueError, OSError, struct.error) as error:
        raise DataError(f"{path}: not a readable checkpoint, torn or altered; write it again") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(f"{path}: not a checkpoint of natadv (expected the format {FORMAT!r})")
    if not isinstance(content.get("weights"), dict) or _digest(content["weights"]) != content.get("weights_sha256"):
        raise DataError(f"{path}: its weights differ from their checksum; write it again")
    return content


def _digest(weights: Mapping[str, Tensor]) -> str:
    """Return the sha256 of all names, types, shapes and values."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
