"""Sealed files: plain values and tensors that load without running code and know their own sha256.

The weights carry their own digest, because a zip file's check sums are not looked at when torch reads it.
"""

import hashlib
import io
import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from natadv.durable import replace_file
from natadv.errors import DataError

_ZIP = b"PK"  # what torch.save writes begins so


def write_sealed(path: Path, form: str, weights: Mapping[str, Tensor], content: Mapping[str, Any]) -> None:
    """Write weights and what belongs to them; the file appears under its name only when it is whole.

    Args:
        path: the file.
        form: name and version of the format.
        weights: tensors by name; brought to the CPU.
        content: numbers, strings, lists, dictionaries and tensors.

    Raises:
        ResourceError: if the disk is full.
        DataError: if the file system refuses for another reason.
    """
    weights = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
    whole = {"format": form, **content, "weights": weights, "weights_sha256": _digest(weights)}
    written = io.BytesIO()
    torch.save(whole, written)
    replace_file(path, written.getvalue())


def read_sealed(path: Path, form: str, what: str) -> tuple[dict[str, Any], str]:
    """Read a file back: its content, `weights` in it, and the sha256 of the file in hex.

    Args:
        path: the file.
        form: that it must have.
        what: it should be, for messages, as "checkpoint of natadv".

    Raises:
        DataError: if the file is missing, torn, altered, or of another format.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, LookupError, ValueError, OSError, struct.error) as error:
        if data and not data.startswith(_ZIP):
            raise DataError(f"{path}: not a {what}, which is a file of torch.save") from error
        raise DataError(f"{path}: not a readable checkpoint, torn or altered; write it again") from error
    found = content.get("format") if isinstance(content, dict) else None
    if not isinstance(content, dict) or found != form:
        but = f", but a {found}" if isinstance(found, str) else ""
        raise DataError(f"{path}: not a {what}{but} (expected the format {form})")
    if not isinstance(content.get("weights"), dict) or _digest(content["weights"]) != content.get("weights_sha256"):
        raise DataError(f"{path}: its weights differ from their checksum; write it again")
    return content, hashlib.sha256(data).hexdigest()


def _digest(weights: Mapping[str, Tensor]) -> str:
    """Return the sha256 of all names, types, shapes and values."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        value = weights[name].contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
