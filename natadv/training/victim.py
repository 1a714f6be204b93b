"""Models that a table attacks, from whatever file or name they come: pictures of any size in, logits out."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from natadv.data.dataset import Dataset
from natadv.data.match import targets_by_label
from natadv.errors import ConfigError, DataError
from natadv.models.classifier import create_classifier
from natadv.models.onnx_classifier import load_onnx_classifier
from natadv.training.checkpoint import LoadedClassifier, load_classifier

_IMAGENET = 1000
_HOPELESS = -1e4


@dataclass(frozen=True)
class Victim:
    """A classifier, in eval mode.

    Attributes:
        name: of its file without the suffix, or timm's.
        described: the name with the start of its file's sha256, for a setting.
        model: maps images, (n, 3, h, w), RGB in [0, 1], of any size to logits, (n, classes).
        input_size: (height, width) in pixels that it is meant for.
        classes: how many.
        labels: one per class; None where the model does not say.
        trained: against what, and how long; None where that is nothing, or not known.
    """

    name: str
    described: str
    model: nn.Module
    input_size: tuple[int, int]
    classes: int
    labels: tuple[str, ...] | None
    trained: str | None = None


def open_victim(spec: str, device: str = "cpu") -> Victim:
    """Open an ONNX classifier, a checkpoint of natadv, or, where there is no such file, a model of timm's.

    timm's weights are DOWNLOADED where its cache lacks them.

    Args:
        spec: a file that ends in .onnx, another file, or a name as "inception_v3.tf_in1k".
        device: where it is to compute.

    Raises:
        DataError: if the file is damaged or is no classifier.
        ConfigError: if it is neither a file nor a name that timm has weights for.
    """
    path = Path(spec)
    if path.suffix == ".onnx":
        network = load_onnx_classifier(path)
        model = _placed(network, device)
        return Victim(path.stem, _described(path), model, network.input_size, network.classes, None)
    if path.is_file():
        loaded = load_classifier(path)
        model = _placed(Sized(loaded.model, loaded.input_size), device).eval()
        name = path.stem if path.stem != "checkpoint" else path.absolute().parent.name
        trained = _trained(loaded)
        return Victim(name, _described(path), model, loaded.input_size, len(loaded.labels), loaded.labels, trained)
    if not timm.is_model(spec.split(".", maxsplit=1)[0]):
        raise ConfigError(f"model {spec}: neither a file nor a model of timm's")
    config = timm.get_pretrained_cfg(spec)
    if config is None or not config.has_weights:
        raise ConfigError(f"model {spec}: timm has no weights for it")
    size = (int(config.input_size[1]), int(config.input_size[2]))
    labels = tuple(str(index) for index in range(1, _IMAGENET + 1))
    model = _placed(Sized(create_classifier(spec, labels, size, pretrained=True), size), device).eval()
    return Victim(spec, f"{spec} of timm {timm.__version__}", model, size, _IMAGENET, None)


def _placed(model: nn.Module, device: str) -> nn.Module:
    """Return a model on a device, weights with channels last: a gradient of MobileNet v2 then takes two thirds."""
    return model.to(device, memory_format=torch.channels_last)


class Sized(nn.Module):
    """A model that resizes pictures to its own size first, averaging where they shrink; gradients flow through."""

    def __init__(self, model: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.model = model
        self.size = size

    def forward(self, batch: Tensor) -> Tensor:
        """Map images, (n, 3, h, w), of any size to logits."""
        if tuple(batch.shape[-2:]) != self.size:
            batch = interpolate(batch, self.size, mode="bilinear", antialias=True)
        return self.model(batch)


def targets_of(victim: Victim, dataset: Dataset) -> NDArray[np.int64]:
    """Return the victim's class of each image, (n,).

    Classes are matched by label where the victim has labels. Else they are matched by number; a model of ImageNet's
    1000 classes counts one less than data that begin with a background class.

    Raises:
        DataError: if they do not match.
    """
    if victim.labels is not None:
        return targets_by_label(dataset, victim.labels, model=victim.name)
    if victim.classes == len(dataset.labels):
        return dataset.targets
    if (victim.classes, len(dataset.labels)) == (_IMAGENET, _IMAGENET + 1):
        return dataset.targets - 1
    raise DataError(f"{dataset.name}: has {len(dataset.labels)} classes, {victim.name} {victim.classes}")


def label_of(victim: Victim, dataset: Dataset, index: int) -> str:
    """Return what to call a class of the victim's: its own label, or the data's by the rule of `targets_of`."""
    if victim.labels is not None:
        return victim.labels[index]
    return dataset.labels[index + len(dataset.labels) - victim.classes]


def as_surrogate(surrogate: Victim, victim: Victim) -> nn.Module:
    """Return the surrogate's model with its logits in the order of the victim's classes.

    Raises:
        ConfigError: if they have different classes.
    """
    if surrogate.labels == victim.labels and surrogate.classes == victim.classes:
        return surrogate.model
    sizes = (surrogate.classes, victim.classes)
    if surrogate.labels is None and victim.labels is None and sizes in {(1000, 1001), (1001, 1000)}:
        return _Background(surrogate.model, added=sizes == (1000, 1001))
    raise ConfigError(f"--surrogate {surrogate.name}: its classes are not those of {victim.name}")


class _Background(nn.Module):
    """An ImageNet model whose logits gain a hopeless background class, or lose theirs."""

    def __init__(self, model: nn.Module, *, added: bool) -> None:
        super().__init__()
        self.model = model
        self.added = added
        self.train(model.training)

    def forward(self, batch: Tensor) -> Tensor:
        logits = self.model(batch)
        if not self.added:
            return logits[:, 1:]
        return torch.cat([torch.full_like(logits[:, :1], _HOPELESS), logits], 1)


def _described(path: Path) -> str:
    return f"{path.name} sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


def _trained(loaded: LoadedClassifier) -> str | None:
    recipe = loaded.recipe
    if not recipe.get("pgd"):
        return None
    share = "" if recipe["pgd"] == 1 else f" on {100 * recipe['pgd']:g} % of the images"
    done = "" if loaded.unfinished is None else f"{loaded.unfinished[0]} of "
    return f"{done}{recipe['epochs']} epochs of PGD-{recipe['pgd_steps']} at {recipe['epsilon']:g}/255{share}"
