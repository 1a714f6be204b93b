"""How easily triggered images are told from clean ones: a small network learns to, and is asked about new images."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from natadv.backdoors.poison import Poisoning
from natadv.batches import to_batch
from natadv.models.classifier import DEFAULT_MODEL, create_classifier
from natadv.training.pictures import Pictures

_LABELS = ("clean", "triggered")


def detector_scores(
    train: Pictures,
    test: Pictures,
    poisoning: Poisoning,
    *,
    device: torch.device,
    epochs: int = 4,
    batch_size: int = 32,
    seed: int = 0,
    after_epoch: Callable[[int], None] = lambda _epoch: None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what a detector makes of clean and of triggered test images, (n,) each; more is more suspicious.

    The detector knows the trigger: it is shown each training image with and without it. So it says how far the
    trigger *can* be seen, not how likely one who knows nothing finds it.

    Args:
        train: clean images that it learns from.
        test: clean images that it has not seen.
        poisoning: its trigger is used, on all of them.
        device: where to compute.
        epochs: passes over the training images.
        batch_size: images a step; half of them triggered.
        seed: of first weights and order.
        after_epoch: told the number of each epoch, from 1.
    """
    size = (train.images.shape[1], train.images.shape[2])
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.manual_seed(seed)
        model = create_classifier(DEFAULT_MODEL, _LABELS, size).to(device, memory_format=torch.channels_last)
        wet = _triggered(train, poisoning, test=False)
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
        chance = np.random.default_rng([seed, 11])
        half = max(1, batch_size // 2)
        model.train()
        for epoch in range(1, epochs + 1):
            order = chance.permutation(len(train))
            for start in range(0, len(order), half):
                some = order[start : start + half]
                batch = to_batch(np.concatenate([train.images[some], wet[some]]), device)
                told = torch.cat([torch.zeros(len(some)), torch.ones(len(some))]).long().to(device)
                optimizer.zero_grad()
                functional.cross_entropy(model(batch), told).backward()
                optimizer.step()
            after_epoch(epoch)
    model.eval()
    with torch.inference_mode():

        def scores(images: NDArray[np.uint8]) -> NDArray[np.float64]:
            parts = [images[start : start + 128] for start in range(0, len(images), 128)]
            logits = torch.cat([model(to_batch(part, device)) for part in parts])
            return (logits[:, 1] - logits[:, 0]).double().cpu().numpy()

        return scores(test.images), scores(_triggered(test, poisoning, test=True))


def _triggered(pictures: Pictures, poisoning: Poisoning, *, test: bool) -> NDArray[np.uint8]:
    return np.stack([poisoning.triggered(image, number, test=test) for number, image in enumerate(pictures.images)])
