"""How a backdoored model does: clean, triggered, and in rain that nobody planted (Zhao et al. 2022, Sec. 5.1).

Accuracy on clean test images is BTA for a model that was trained clean and ATA for a poisoned one; P_BA is their
difference. ASR is the share of triggered test images, those of the target's class left out, that become the target. The
last is asked of natural rain too, for which no trigger was planted: a model that takes a wet windscreen for its trigger
is dangerous though nobody attacks it. All intervals count what the images are of: frames of one sign are one proof.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from natadv.backdoors.poison import Poisoning, triggered_test
from natadv.batches import to_batch
from natadv.evaluation.rates import KinRate, Rate
from natadv.training.pictures import Pictures


@dataclass(frozen=True)
class Measured:
    """What one model did.

    Attributes:
        accuracy: on clean test images.
        success: ASR, of triggered test images of other classes.
        to_target: of the same images without trigger: how many become the target all the same, by mere mistake.
        right: whether it is right about each clean test image, (n,).
        counted: how the intervals count the test images, in words.
    """

    accuracy: Rate
    success: Rate
    to_target: Rate
    right: NDArray[np.bool_] = field(compare=False, repr=False)
    counted: str


def measure(model: nn.Module, test: Pictures, poisoning: Poisoning, device: torch.device) -> Measured:
    """Measure a model on a test set.

    Args:
        model: gives logits of (n, 3, h, w) in 0..1; its mode is left as it was.
        test: clean, at the model's size, under the model's classes.
        poisoning: its trigger and target are used; what it drew for training images is not.
        device: where the model is.
    """
    predicted = predictions(model, test.images, device)
    right = predicted == test.targets
    others = test.targets != poisoning.target
    return Measured(
        accuracy=share_of(right, test),
        success=towards(model, triggered_test(test, poisoning), poisoning.target, device),
        to_target=share_of(predicted[others] == poisoning.target, test.others(poisoning.target)),
        right=right,
        counted=test.counted,
    )


def share_of(which: NDArray[np.bool_], pictures: Pictures) -> Rate:
    """Return of how many of the pictures something is true; where none are kin the interval is Wilson's."""
    return KinRate.of(which.tolist(), pictures.things)


def towards(model: nn.Module, shown: Pictures, target: int, device: torch.device) -> Rate:
    """Return how many of the pictures, none of the target's class, become the target.

    Raises:
        ValueError: if one is of the target's class.
    """
    if (shown.targets == target).any():
        raise ValueError("expected pictures of other classes than the target")
    return share_of(predictions(model, shown.images, device) == target, shown)


@torch.inference_mode()
def predictions(
    model: nn.Module, images: NDArray[np.uint8], device: torch.device, *, batch_size: int = 128
) -> NDArray[np.int64]:
    """Return the class that a model puts first for each image, (n,)."""
    mode = model.training
    model.eval()
    found = [
        model(to_batch(images[start : start + batch_size], device)).argmax(1).cpu().numpy()
        for start in range(0, len(images), batch_size)
    ]
    model.train(mode)
    return np.concatenate(found) if found else np.zeros(0, np.int64)
