"""What a campaign needs: a classifier, as trained or as deployed, and images of its classes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from natadv.attacks.success import Model
from natadv.data.dataset import Dataset
from natadv.data.load import load_dataset
from natadv.errors import ConfigError, DataError
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


@dataclass(frozen=True)
class Drawn:
    """Images drawn from a dataset to be attacked.

    Attributes:
        dataset: the drawn images alone, in the order of their numbers.
        numbers: of each image in the whole dataset, (n,).
        targets: its true class among the model's, (n,).
    """

    dataset: Dataset
    numbers: NDArray[np.int64]
    targets: NDArray[np.int64]


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
            frames = (batch * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
            return torch.from_numpy(classifier.probabilities(np.ascontiguousarray(frames.numpy())))

        yield Target(ask, classifier.labels, classifier.input_size, classifier.digest, torch.device("cpu"))


def draw_images(
    data: str, split: str, *, count: int | None, seed: int, labels: tuple[str, ...], root: Path = Path("data")
) -> Drawn:
    """Draw images of a dataset, each as likely as any other; classes are matched by label.

    Args:
        data: a dataset's name or a folder.
        split: "train" or "test".
        count: so many; None takes all.
        seed: of the draw.
        labels: the model's, one per class.
        root: where named datasets lie unpacked.

    Raises:
        ConfigError: if there are fewer images, or there is no such dataset or split.
        DataError: if the data have a label that the model lacks, or are missing or torn.
    """
    dataset = load_dataset(data, split, root=root)
    unknown = sorted(set(dataset.labels) - set(labels))
    if unknown:
        raise DataError(f"{data}: label {unknown[0]!r} is not one of the model's {len(labels)} labels")
    if count is not None and count > len(dataset):
        raise ConfigError(f"--count {count}: there are only {len(dataset)} images in {split} of {data}")
    numbers = np.sort(np.random.default_rng(seed).permutation(len(dataset))[:count])
    index = np.array([labels.index(label) for label in dataset.labels], np.int64)
    chosen = dataset.subset(numbers)
    return Drawn(chosen, numbers, index[chosen.targets])
