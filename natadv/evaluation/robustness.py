"""Robust accuracy: of the images that the bare classifier gets right, how many a defended one still does when attacked.

Du et al. 2021, Eq. 2 and 3. An image that a defended model gets wrong without any attack counts against it. Of a
randomised model one pass judges an attacked image, as one pass would classify it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from natadv.attacks.suite import Setting
from natadv.defenses.defended import Defended
from natadv.evaluation.rates import Rate, clustered_interval
from natadv.evaluation.record import Record, records
from natadv.evaluation.record_cache import RecordCache, image_digests


@dataclass(frozen=True, slots=True)
class Measured:
    """What an attack did to a set of images.

    Attributes:
        setting: the attack.
        records: one an image.
    """

    setting: Setting
    records: tuple[Record, ...]

    @property
    def robust(self) -> Rate:
        """Images that the model still gets right, of all."""
        return Rate(sum(not record.fooled for record in self.records), len(self.records))

    def mean(self, name: str, *, fooled: bool = True) -> float:
        """Return the mean of a number of the records, of the fooled images or of all; NaN where there are none."""
        values = [float(getattr(record, name)) for record in self.records if record.fooled or not fooled]
        return sum(values) / len(values) if values else float("nan")


def attack_all(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    setting: Setting,
    *,
    cache: RecordCache | None = None,
    seed: int = 0,
    batch_size: int = 32,
    report: Callable[[int], None] = lambda done: None,
) -> Measured:
    """Attack images, but for those whose records are there.

    Args:
        model: in eval mode; a `Defended` one draws its noise from `seed` and the first image of each block anew, so
            that a run goes on as it would have without a stop.
        images: clean, 8 bits, (n, 3, h, w), RGB in [0, 1].
        labels: true classes, (n,).
        setting: the attack.
        cache: where records are kept; None to keep none.
        seed: of all chance.
        batch_size: images at once.
        report: told how many images are done.
    """
    digests = image_digests(images, labels)
    found: list[Record | None] = [cache.get(digest) if cache else None for digest in digests]
    report(sum(record is not None for record in found))
    missing = [number for number, record in enumerate(found) if record is None]
    for start in range(0, len(missing), batch_size):
        block = missing[start : start + batch_size]
        chance = _block_seed(seed, digests[block[0]])
        if isinstance(model, Defended):
            model.reseed(chance)
        outcome = setting(model, images[block], labels[block], seed=chance, batch_size=batch_size)
        made = records(outcome, images[block])
        if cache:
            cache.add(zip((digests[number] for number in block), made, strict=True))
        for number, record in zip(block, made, strict=True):
            found[number] = record
        report(sum(record is not None for record in found))
    return Measured(setting, tuple(record for record in found if record is not None))


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Accuracy without an attack, over one pass of each image or several.

    Attributes:
        value: share of the passes that are right, 0..1.
        interval: its 95 % interval; the passes of one image are kin.
        images: how many.
    """

    value: float
    interval: tuple[float, float]
    images: int


@torch.no_grad()
def clean_accuracy(
    model: nn.Module, images: Tensor, labels: Tensor, *, passes: int = 1, seed: int = 0, batch_size: int = 64
) -> Accuracy:
    """Return how often a model is right on clean images (Du et al. 2021, Eq. 3).

    Args:
        model: in eval mode.
        images: (n, 3, h, w), RGB in [0, 1].
        labels: true classes, (n,).
        passes: of each image; several where the model is randomised.
        seed: of the passes' noise.
        batch_size: images at once.
    """
    if isinstance(model, Defended):
        model.reseed(seed)
    hits = torch.zeros_like(labels)
    for _ in range(passes):
        hits += torch.cat([model(some).argmax(1) for some in images.split(batch_size)]) == labels
    interval = clustered_interval(hits.tolist(), [passes] * len(images))
    return Accuracy(int(hits.sum()) / (passes * len(images)), interval, len(images))


def adaptive(settings: Sequence[Setting], model: nn.Module, samples: int) -> list[Setting]:
    """Return the settings with, after each gradient attack on a randomised model, its adaptive form where it lacks one.

    Args:
        settings: as asked for.
        model: what they attack.
        samples: passes that an adaptive attack averages.
    """
    found: list[Setting] = []
    there = {setting.name for setting in settings}
    for one in settings:
        found.append(one)
        if one.uses != "gradients" or one.samples or not getattr(model, "randomised", False):
            continue
        if not any(name == f"eot-{one.name}" or name.startswith(f"eot-{one.name}-") for name in there):
            found.append(one.averaged(samples))
    return found


def _block_seed(seed: int, digest: str) -> int:
    return (seed * 1_000_003 + int(digest[:12], 16)) % 2**62
