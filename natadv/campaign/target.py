"""What a campaign attacks: a classifier, as trained or as deployed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import torch
from torch import Tensor

from natadv.attacks.success import Model
from natadv.batches import to_images
from natadv.errors import ConfigError
from natadv.training.checkpoint import load_classifier
from natadv.training.device import choose_device


@dataclass(frozen=True)
class Target:
    """A classifier to attack.

    Attributes:
        model: maps a batch to logits, or, as a bundle, to probabilities.
        labels: one per class.
        input_size: (height, width) in pixels.
        digest: sha256 of its file, in hex.
        device: where its batches are.
    """

    model: Model
    labels: tuple[str, ...]
    input_size: tuple[int, int]
    digest: str
    device: torch.device


@contextmanager
def open_target(path: Path, *, gradients: bool, device: str) -> Iterator[Target]:
    """Open a checkpoint, or the folder of a bundle where no gradients are wanted.

    Raises:
        ConfigError: if gradients are wanted of a bundle, or the device has no such name.
        DataError: if the checkpoint cannot be read.
        BundleError: if the bundle is damaged.
        DeviceError: if the device is not there.
    """
    if not path.is_dir():
        where = torch.device(choose_device(device))
        loaded = load_classifier(path)
        model = loaded.model.to(where)
        yield Target(model, loaded.labels, loaded.input_size, loaded.digest, where)
        return
    if gradients:
        raise ConfigError(f"{path}: a bundle gives no gradients; take --box black, or the checkpoint it was made from")
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"--device {device}: expected auto, cpu or cuda")
    from edge.classifier import Classifier  # noqa: PLC0415  # a checkpoint is attacked where no runtime is installed

    with Classifier(path, device=cast(Literal["auto", "cpu", "cuda"], device)) as classifier:

        def ask(batch: Tensor) -> Tensor:
            return torch.from_numpy(classifier.probabilities(to_images(batch)))

        yield Target(ask, classifier.labels, classifier.input_size, classifier.digest, torch.device("cpu"))
