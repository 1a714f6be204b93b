"""Judgement: how good an exported model is, on clean images and on ones that were attacked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edge.manifest import INPUT, RainNoise
from export.answers import Answers, joined
from export.frames import batches
from export.parity import open_cpu, steady_noise
from natadv.attacks.suite import Setting, setting
from natadv.batches import to_batch, to_images
from natadv.data.dataset import Dataset
from natadv.defenses.defended import Defended
from natadv.defenses.rain import Rain
from natadv.errors import BundleError
from natadv.evaluation.rates import Rate

ATTACK = "pgd-margin"
"""The strongest of the suite within 8/255; behind RAIN, on the mean of several passes."""
_AVERAGED = 10
_BATCH = 40


@dataclass(frozen=True, slots=True, eq=False)
class Attacked:
    """Images that were right, and what an attack made of them.

    Attributes:
        attack: by name.
        clean: the images, uint8 RGB (n, h, w, 3).
        frames: the same attacked; where the attack failed, the image as it was.
        places: the model's class of each, (n,).
        things: what each is of; None counts each image for itself.
    """

    attack: str
    clean: NDArray[np.uint8]
    frames: NDArray[np.uint8]
    places: NDArray[np.int64]
    things: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """How good an exported model is.

    Attributes:
        clean: what it said of a whole data set, each image seen once, in the data set's order.
        attacked: of images that the classifier gets right, when they are attacked; None: no attack.
    """

    clean: Answers
    attacked: Answers | None

    @property
    def accuracy(self) -> Rate:
        """Of the clean images, those that it gets right."""
        return self.clean.rate

    @property
    def robust(self) -> Rate | None:
        """Of the attacked images, those that it still gets right."""
        return None if self.attacked is None else self.attacked.rate


def judge(
    model_bytes: bytes,
    dataset: Dataset,
    places: NDArray[np.int64],
    size: tuple[int, int],
    *,
    noise: RainNoise | None = None,
    attacked: Attacked | None = None,
) -> Judged:
    """Run a data set, and attacked images, through an exported model on the CPU.

    Args:
        model_bytes: the exported model.
        dataset: labelled images.
        places: the model's class index for each of the data set's, as from `export.frames.targets_in`.
        size: (height, width) of the model's input.
        noise: what it takes beside the frames.
        attacked: images made against the original.
    """
    session, stream = open_cpu(model_bytes), steady_noise(noise)

    def answers(frames: NDArray[np.uint8], targets: NDArray[np.int64], first: int) -> Answers:
        (probabilities,) = session.run(["probabilities"], {INPUT: frames, **stream(first, len(frames))})
        return Answers(targets, probabilities.argmax(axis=1), probabilities.max(axis=1))

    clean: list[Answers] = []
    count = 0
    for frames, targets in batches(dataset, size):
        clean.append(answers(frames, places[targets], count))
        count += len(frames)
    if attacked is None:
        return Judged(replace(joined(clean), things=dataset.kin), None)
    # Noise that no other image was seen with, the attack's own least of all.
    found = [
        answers(attacked.frames[start : start + _BATCH], attacked.places[start : start + _BATCH], count + start)
        for start in range(0, len(attacked.frames), _BATCH)
    ]
    return Judged(replace(joined(clean), things=dataset.kin), replace(joined(found), things=attacked.things))


def attack(
    classifier: nn.Module,
    dataset: Dataset,
    places: NDArray[np.int64],
    size: tuple[int, int],
    *,
    rain: Rain | None = None,
    count: int,
    seed: int = 0,
) -> Attacked | None:
    """Attack images that a torch classifier gets right, with all that is known of it.

    Args:
        classifier: in eval mode.
        dataset: labelled images.
        places: as for `judge`.
        size: (height, width) in pixels.
        rain: before the classifier; attacked through the mean of its passes.
        count: images drawn; those that the classifier gets right are attacked.
        seed: of the draw and the attack.

    Returns:
        None where the classifier gets none of them right.
    """
    drawn = np.sort(np.random.default_rng(seed).choice(len(dataset), min(count, len(dataset)), replace=False))
    some = dataset.subset(drawn)
    images = to_batch(some.images(size), torch.device("cpu")).contiguous()
    labels = torch.from_numpy(places[some.targets])
    with torch.no_grad():
        starts = range(0, len(images), _BATCH)
        right = torch.cat([classifier(images[start : start + _BATCH]).argmax(1) for start in starts]) == labels
    if not right.any():
        return None
    things = tuple(thing for thing, kept in zip(some.kin, right.tolist(), strict=True) if kept)
    images, labels = images[right].contiguous(), labels[right]
    one: Setting = setting(ATTACK)
    model: nn.Module = classifier
    if rain is not None:
        one, model = one.averaged(_AVERAGED), Defended(rain, classifier, seed=seed)
    found = one(model, images, labels, seed=seed, batch_size=_BATCH).images
    return Attacked(one.name, to_images(images), to_images(found), labels.numpy(), things)


def check_loss(before: Judged, after: Judged, max_loss: float) -> None:
    """Refuse a reduction that loses more than `max_loss`, 0..1, of the accuracy or of the robust accuracy.

    Raises:
        BundleError: if it does; with both figures.
    """
    pairs: Sequence[tuple[str, Rate | None, Rate | None]] = (
        ("accuracy", before.accuracy, after.accuracy),
        ("robust accuracy", before.robust, after.robust),
    )
    for name, full, reduced in pairs:
        if full is not None and reduced is not None and full.value - reduced.value > max_loss + 1e-9:
            raise BundleError(
                f"reduced, the model has {reduced} {name}, before {full}: it loses more than {100 * max_loss:g} points"
                " (--max-loss); not written"
            )
