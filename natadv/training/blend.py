"""Blend a hardened classifier with the one it was trained from: the mean of their weights.

What a model learnt first and what it learnt from there lie in one basin, where every point between is a model too, and
often better on clean pictures than either end (WiSE-FT: Wortsman et al. 2022, Eq. 1). The statistics of its batch norms
are then neither's, and are measured anew (torch.optim.swa_utils.update_bn) on training pictures without drops; so a
share of 0 is not quite the hardened model.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import update_bn

from natadv.batches import to_batch
from natadv.data.load import load_dataset
from natadv.durable import new_folder
from natadv.errors import ConfigError
from natadv.training.augment import augment
from natadv.training.checkpoint import LoadedClassifier, load_classifier, save_checkpoint
from natadv.training.classifier import CHECKPOINT, SUMMARY
from natadv.training.device import choose_device
from natadv.training.evaluate import accuracy, accuracy_metrics
from natadv.training.lineage import LINEAGE, pictures_of, pictures_sha256, plain_lineage, read_lineage
from natadv.training.pictures import Pictures, pictures_for

_BATCH = 64


def blend_classifiers(
    hardened: Path,
    standard: Path,
    out: Path,
    *,
    share: float,
    data: str,
    root: Path = Path("data"),
    seed: int = 0,
    device: str = "auto",
) -> dict[str, Any]:
    """Write a checkpoint between two to the folder `out`, and return its metrics.

    Args:
        hardened: a checkpoint that was trained from `standard`, in one run or several.
        standard: that one.
        out: new folder for checkpoint.pt and metrics.json.
        share: of `standard` in the weights, 0..1.
        data: what both were trained on; batch norms are measured on its training pictures, accuracy on its test ones.
        root: where named datasets lie unpacked.
        seed: of the random views that batch norms are measured on.
        device: "auto", "cpu" or "cuda".

    Raises:
        ConfigError: if the folder exists, the share is none, one was not trained from the other, or not on these data.
        DataError: if a file is missing or torn, or the data have labels that the models lack.
        DeviceError: if the device is not there.
        ResourceError: if the disk is full.
    """
    if out.exists():
        raise ConfigError(f"{out}: exists already; take another folder")
    if not 0 <= share <= 1:
        raise ConfigError(f"--share {share}: expected 0 to 1")
    last, first = load_classifier(hardened), load_classifier(standard)
    if first.digest not in last.ancestors:
        raise ConfigError(f"{hardened}: was not trained from {standard} (--init); weights of two runs have no mean")
    where = torch.device(choose_device(device))
    train, test = (
        pictures_for(load_dataset(data, split, root=root), last.labels, last.input_size) for split in ("train", "test")
    )
    _check_same_data(data, last, train, test)
    model = last.model
    model.load_state_dict(_between(last.model.state_dict(), first.model.state_dict(), share))
    strength = float(last.recipe.get("augmentation", 1.0))
    update_bn(_views(train, seed, where, strength), model.to(where))
    model.eval()
    metrics = accuracy_metrics(accuracy(model, test, where))
    blended = {"hardened_sha256": last.digest, "standard_sha256": first.digest, "share": share}
    with new_folder(out) as folder:
        save_checkpoint(
            folder / CHECKPOINT,
            model.cpu(),
            metrics=metrics,
            recipe=last.recipe,
            provenance={
                **last.provenance,
                LINEAGE: plain_lineage(read_lineage(last, hardened)),
                "blend": blended,
            },
        )
        (folder / SUMMARY).write_text(json.dumps(metrics | {"blend": blended}, indent=1) + "\n", encoding="utf-8")
    return metrics


def _check_same_data(data: str, model: LoadedClassifier, train: Pictures, test: Pictures) -> None:
    """Refuse other data than the hardened model's, whose papers the blend keeps."""
    learnt, tested = model.provenance.get("train_images"), model.provenance.get("test_images")
    digest = pictures_of(model.provenance)  # of all of them, where a repair took a share
    if tested != len(test) or (digest is None and learnt != len(train)):
        raise ConfigError(
            f"--data {data}: {len(train)} training and {len(test)} test images; the models were trained on "
            f"{learnt} and {tested}; name those data"
        )
    if digest not in {None, pictures_sha256(train, model.labels)}:
        raise ConfigError(f"--data {data}: other training images than the models were trained on; name those data")


def _between(hardened: dict[str, Tensor], standard: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Return the weighted mean of two models' states; counters are the first's."""
    return {
        name: torch.lerp(value, standard[name], share) if value.is_floating_point() else value
        for name, value in hardened.items()
    }


def _views(pictures: Pictures, seed: int, device: torch.device, strength: float) -> Iterator[Tensor]:
    """Yield the training pictures once, as training shows clean ones; a last batch that is not full is left out."""
    order = np.random.default_rng(seed).permutation(len(pictures))
    chance = torch.Generator().manual_seed(seed)
    for start in range(0, max(1, len(order) - _BATCH + 1), _BATCH):
        yield augment(to_batch(pictures.images[order[start : start + _BATCH]], device), chance, strength=strength)
