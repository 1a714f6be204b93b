"""Outcomes of attacks kept on disk, a file a block of images: tables share them, and a stopped attack goes on."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from natadv.attacks.outcome import Outcome
from natadv.durable import file_error
from natadv.errors import DataError
from natadv.evaluation.record_cache import image_digests
from natadv.training.sealed import read_sealed, write_sealed

_FORMAT = "natadv-outcome/1"
_PARTS = ("images", "fooled", "queries", "gradients")

Attack = Callable[[Tensor, Tensor, Tensor | None], Outcome]
"""Attacks images, (n, 3, h, w), of classes, (n,), towards targets, (n,), or None."""


def kept_outcome(
    folder: Path,
    settings: Mapping[str, Any],
    attack: Attack,
    images: Tensor,
    labels: Tensor,
    targets: Tensor | None = None,
    *,
    block: int,
    report: Callable[[int], None] = lambda done: None,
) -> Outcome:
    """Attack images block by block, but for the blocks whose outcome is there.

    Args:
        folder: of what is kept; made where it is missing.
        settings: all that decides an outcome but the images, as plain values.
        attack: what is done to a block.
        images: clean, 8 bits, (n, 3, h, w), RGB in [0, 1].
        labels: true classes, (n,).
        targets: classes to reach, (n,).
        block: images a file.
        report: told how many images are done.

    Raises:
        DataError: if a file is torn or altered, or cannot be written.
        ResourceError: if the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise file_error(folder, error) from error
    digests = image_digests(images, labels)
    found: list[Outcome] = []
    for start in range(0, len(images), block):
        part = slice(start, min(start + block, len(images)))
        aims = None if targets is None else targets[part]
        about = {**settings, "images": digests[part], "targets": None if aims is None else aims.tolist()}
        head = json.dumps({"format": _FORMAT, **about}, sort_keys=True)
        path = folder / f"{hashlib.sha256(head.encode()).hexdigest()[:16]}.pt"
        if path.exists():
            found.append(_read(path, head, images.device))
        else:
            found.append(attack(images[part], labels[part], aims))
            _write(path, head, found[-1])
        report(part.stop)
    return Outcome(*(torch.cat([getattr(one, name) for one in found]) for name in _PARTS))


def _write(path: Path, head: str, outcome: Outcome) -> None:
    tensors = {name: getattr(outcome, name) for name in _PARTS}
    tensors["images"] = (tensors["images"] * 255).round().to(torch.uint8)
    write_sealed(path, _FORMAT, tensors, {"settings": head})


def _read(path: Path, head: str, device: torch.device) -> Outcome:
    content, _ = read_sealed(path, _FORMAT, "kept outcome of natadv")
    if content.get("settings") != head:
        raise DataError(f"{path}: holds another outcome than its name says; move it away")
    tensors = {name: content["weights"][name].to(device) for name in _PARTS}
    return Outcome(**tensors | {"images": tensors["images"].float() / 255})
