"""Accuracy of a classifier on pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from natadv.batches import to_batch
from natadv.data.load import load_dataset
from natadv.evaluation.rates import KinRate
from natadv.training.checkpoint import load_classifier
from natadv.training.device import choose_device
from natadv.training.pictures import Pictures, pictures_for


def accuracy(model: nn.Module, pictures: Pictures, device: torch.device, *, batch_size: int = 256) -> KinRate:
    """Return how many of `pictures` the model puts first in the right class; leaves its mode as it was.

    The interval counts what the pictures are of: frames of one sign are one proof.
    """
    predicted = answers(model, pictures.images, device, batch_size=batch_size)
    return KinRate.of((predicted == pictures.targets).tolist(), pictures.things)


def accuracy_metrics(rate: KinRate) -> dict[str, Any]:
    """Return an accuracy as a checkpoint's metrics have it."""
    low, high = rate.interval
    return {
        "accuracy": rate.value,
        "accuracy_interval": [low, high],
        "interval": rate.counted,
        "correct": rate.hits,
        "images": rate.total,
    }


@torch.inference_mode()
def answers(
    model: nn.Module, images: NDArray[np.uint8], device: torch.device, *, batch_size: int = 256
) -> NDArray[np.int64]:
    """Return the class that the model puts first for each image, uint8 RGB (n, h, w, 3); leaves its mode as it was."""
    mode = model.training
    model.eval()
    found = [
        model(to_batch(images[start : start + batch_size], device)).argmax(1).cpu().numpy()
        for start in range(0, len(images), batch_size)
    ]
    model.train(mode)
    return np.concatenate(found) if found else np.empty(0, np.int64)


def evaluate_checkpoint(
    checkpoint: Path, data: str, split: str, *, root: Path = Path("data"), device: str = "auto"
) -> KinRate:
    """Return a checkpoint's accuracy on one split of a dataset; labels are compared by name.

    Raises:
        DataError: if the data have a label that the checkpoint lacks, or either is missing or torn.
        DeviceError: if the device asked for is not there.
    """
    loaded = load_classifier(checkpoint)
    dataset = load_dataset(data, split, root=root)
    pictures = pictures_for(dataset, loaded.labels, loaded.input_size, model=str(checkpoint))
    where = torch.device(choose_device(device))
    return accuracy(loaded.model.to(where), pictures, where)
