"""Robust accuracy: of the images that the bare classifier gets right, how many a defended one still does when attacked.

Du et al. 2021, Eq. 2 and 3. An image that a defended model gets wrong without any attack counts against it. Of a
randomised model one pass judges an attacked image, as one pass would classify it.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import cv2
from torch import Tensor, nn

from natadv.attacks.suite import Setting
from natadv.defenses.defended import Defended
from natadv.evaluation.rates import Rate, clustered_interval
from natadv.evaluation.record import Record, records
from natadv.evaluation.record_cache import RecordCache, image_digests
from natadv.source_digest import source_digest

CLEAN_PASSES = 5
"""Of each clean image through a randomised model."""

_CODE = ("natadv.evaluation.robustness", "natadv.training.defenses", "natadv.training.victim")
"""What makes records, beside the attack."""

_NOISE, _ATTACK = 1, 2
"""Streams of chance: a defence's own and an attack's must not be the same numbers."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What an attack did to a set of images.

    Attributes:
        setting: the attack.
        records: one an image; with several repeats, all of the first, then all of the second, and so on.
        repeats: runs of the attack with other chance.
    """

    setting: Setting
    records: tuple[Record, ...]
    repeats: int = 1

    @property
    def images(self) -> int:
        """How many images there are."""
        return len(self.records) // self.repeats

    @property
    def robust(self) -> Rate:
        """Images that the model still gets right, of all, in all repeats together."""
        return Rate(sum(not record.fooled for record in self.records), len(self.records))

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the robust accuracy; repeats of one image are kin."""
        if self.repeats == 1:
            return self.robust.interval
        right = [sum(not one.fooled for one in self.records[k :: self.images]) for k in range(self.images)]
        return clustered_interval(right, [self.repeats] * self.images)

    def mean_size(self, name: str) -> float:
        """Return the mean of a size over the images that were changed and fool; NaN where there are none."""
        return _mean(float(getattr(one, name)) for one in self.records if one.fooled and one.l0 > 0)

    def mean_passes(self, name: str) -> float:
        """Return the mean of `queries` or `gradients` over all images."""
        return _mean(float(getattr(one, name)) for one in self.records)


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else math.nan


def attack_cache(
    folder: Path,
    model: str,
    defense: str,
    attack: Setting,
    *,
    size: tuple[int, int],
    seed: int,
    batch_size: int,
    device: str,
) -> RecordCache:
    """Open the records of one attack on one defended model: all that decides a result is in their name.

    Args:
        folder: of the cache.
        model: a name with a digest.
        defense: a name with a digest and settings.
        attack: at its settings.
        size: (height, width) of the images in pixels.
        seed: of all chance.
        batch_size: images at once; which images share a block decides what chance each meets.
        device: cpu or cuda: they round otherwise.

    Raises:
        DataError: if the file cannot be read, or holds something else.
    """
    decides = {
        "model": model,
        "size": list(size),
        "defense": defense,
        "seed": seed,
        "batch": batch_size,
        "bench": source_digest(*_CODE),
        "opencv": cv2.__version__,  # wrote the files that are weighed
        "device": device,
        "libraries of models": libraries_of_models(),
    }
    return RecordCache(folder, {**decides, **attack.described()})


def libraries_of_models() -> dict[str, str]:
    """Return the versions of the libraries that open models: another may answer otherwise."""
    return {name: version(name) for name in ("timm", "onnx2torch")}


def bench_digest(attack: Setting) -> str:
    """Return a digest, 12 hex digits, of the code that makes the records of an attack."""
    return hashlib.sha256(f"{source_digest(*_CODE)} {attack.described()['code']}".encode()).hexdigest()[:12]


def attack_all(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    setting: Setting,
    *,
    cache: RecordCache | None = None,
    seed: int = 0,
    batch_size: int = 32,
    part: slice = slice(None),
    report: Callable[[int], None] = lambda done: None,
) -> Measured:
    """Attack images, but for those whose records are there, in blocks of `batch_size`.

    Args:
        model: in eval mode; a `Defended` one draws its noise from `seed` and the first image of each block anew, so
            that a run goes on as it would have without a stop.
        images: clean, 8 bits, (n, 3, h, w), RGB in [0, 1].
        labels: true classes, (n,).
        setting: the attack.
        cache: where records are kept; None to keep none.
        seed: of all chance.
        batch_size: images at once.
        part: of the blocks, which to do; a block's records do not depend on the others.
        report: told how many images of these are done.
    """
    digests = image_digests(images, labels)
    names = list(digests)
    if setting.seeded or getattr(model, "randomised", False):
        # Who shares a block shares its chance: an image's record is that of its block.
        for block in blocks_of(len(images), batch_size):
            company = hashlib.sha256(" ".join(digests[block.start : block.stop]).encode()).hexdigest()[:12]
            names[block.start : block.stop] = [f"{digest} in {company}" for digest in digests[block.start : block.stop]]
    found: list[Record | None] = [cache.get(name) if cache else None for name in names]
    blocks = blocks_of(len(images), batch_size, part)

    def done() -> int:
        return sum(found[number] is not None for block in blocks for number in block)

    report(done())
    for block in blocks:
        missing = [number for number in block if found[number] is None]
        if not missing:
            continue
        if isinstance(model, Defended):
            model.reseed(block_seed(seed, digests[block[0]], _NOISE))
        chance = block_seed(seed, digests[block[0]], _ATTACK)
        these = slice(block.start, block.stop)  # all of them, for the same reason
        outcome = setting(model, images[these], labels[these], seed=chance, batch_size=batch_size)
        made = records(outcome, images[these])
        for number in missing:
            found[number] = made[number - block.start]
        if cache:
            cache.add((names[number], made[number - block.start]) for number in missing)
        report(done())
    return Measured(setting, tuple(record for record in found if record is not None))


def blocks_of(images: int, batch_size: int, part: slice = slice(None)) -> list[range]:
    """Return the blocks that so many images are attacked in, or a part of these blocks."""
    return [range(start, min(start + batch_size, images)) for start in range(0, images, batch_size)][part]


def adaptive(settings: Sequence[Setting], model: nn.Module, samples: int) -> list[Setting]:
    """Return the settings with, after each plain attack on a randomised model, its adaptive form where it lacks one.

    Args:
        settings: as asked for.
        model: what they attack.
        samples: passes that an adaptive attack averages.
    """
    found: list[Setting] = []
    there = {(one.adapts, str(one.options), one.lead > 0) for one in settings if one.samples}
    for one in settings:
        found.append(one)
        if one.samples or not getattr(model, "randomised", False):
            continue
        averaged = one.averaged(samples)
        if (averaged.adapts, str(averaged.options), averaged.lead > 0) not in there:
            found.append(averaged)
    return found


def block_seed(seed: int, digest: str, stream: int = _ATTACK) -> int:
    """Return the seed of a block's chance, from the seed of all and the digest of the block's first image."""
    return ((seed * 1_000_003 + int(digest[:12], 16)) * 7919 + stream) % 2**62
