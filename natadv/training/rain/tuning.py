"""Tune RAIN's super-resolution so that a classifier sees what it needs: `tune_rain` (Du et al. 2021, Sec. III-D).

The classifier is frozen, its batch norms in eval mode with their statistics untouched; gradients pass through it to the
super-resolution alone. Only clean pictures train: towards their label, as in the paper, or towards all that the bare
classifier says of them (distillation: Hinton et al. 2015, Sec. 2), which still teaches where a classifier knows its
training pictures by heart, and needs no labels.
"""

from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy, kl_div

from natadv.batches import to_batch
from natadv.defenses.rain import Rain
from natadv.errors import ConfigError
from natadv.training.augment import augment
from natadv.training.device import choose_device
from natadv.training.progress import silent
from natadv.training.rain.checkpoint import load_network
from natadv.training.rain.feed import Batch, open_feed
from natadv.training.rain.loop import Reporter, Task, interrupted, run_task
from natadv.training.rain.recipe import TuningRecipe
from natadv.training.run_folder import in_run_folder
from natadv.training.victim import open_victim, targets_of

NETWORK = "rain.pt"
_TEMPERATURE = 4.0


@in_run_folder
def tune_rain(recipe: TuningRecipe, out: Path, *, resume: bool = False, reporter: Reporter = silent) -> dict[str, Any]:
    """Tune by `recipe` into the folder `out` and return the last measures, shares 0..1 of the pictures held back.

    `clean`: how often the bare classifier is right, or, without labels, 1; `rain`: how often it is behind RAIN;
    `untuned`: how often it was so before the first step.

    Args:
        recipe: all settings.
        out: new folder; with `resume`, one that may hold an interrupted run of the same recipe.
        resume: continue after the last state kept.
        reporter: gives a place to report progress to.

    Raises:
        ConfigError: if the settings do not fit each other, the data or the folder, or a loss is not finite.
        DataError: if data or a file are missing or torn.
        DeviceError: if the device asked for is not there.
        ResourceError: if the disk is full.
    """
    device = torch.device(choose_device(recipe.device, precision=recipe.precision))
    last = interrupted(recipe, out, resume)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    first = load_network(Path(recipe.super_resolution))
    if not list(first.network.parameters()):
        raise ConfigError(f"{recipe.super_resolution}: has nothing to tune")
    victim = open_victim(recipe.classifier, device.type)
    if victim.input_size != (recipe.size_px, recipe.size_px):
        raise ConfigError(
            f"--size {recipe.size_px}: {victim.name} takes {victim.input_size[1]}x{victim.input_size[0]} px"
        )
    classifier = victim.model.eval().requires_grad_(False)
    feed = open_feed(recipe, lambda data: targets_of(victim, data))
    rain = Rain(first.network.to(device), share=recipe.share, order=recipe.order, per_channel=recipe.per_channel)
    shown = to_batch(feed.test.images, device)
    bare = _says(classifier, shown).argmax(1)
    true = bare if feed.test.targets is None else torch.from_numpy(feed.test.targets).to(device)

    def loss(network: nn.Module, batch: Batch, chance: Generator) -> Tensor:
        images = to_batch(batch.images, device)
        if batch.targets is not None:
            images = augment(images, chance, strength=1.0)
        seen = Rain(network, share=recipe.share, order=recipe.order, per_channel=recipe.per_channel)(images, chance)
        logits, tone = classifier(seen), recipe.brightness * tone_difference(seen, images)
        if recipe.aim == "label" and batch.targets is not None:
            return cross_entropy(logits, torch.from_numpy(batch.targets).to(device)) + tone
        with torch.no_grad():
            answers = classifier(images)
        return distillation(logits, answers) + tone

    @torch.no_grad()  # or EDSR would keep 14 GB of its features for a slope that nobody asks for, at 224 px
    def measure(_: nn.Module) -> dict[str, float]:
        chance = Generator().manual_seed(recipe.seed)
        seen = torch.cat([rain(part, chance) for part in shown.split(64)])
        right = _says(classifier, seen).argmax(1) == true
        return {"clean": float((bare == true).float().mean()), "rain": float(right.float().mean())}

    weights = rain.upsampler.parameters()
    history = run_task(
        Fabric(accelerator=device.type, devices=1, precision=recipe.precision),
        recipe,
        out,
        feed,
        Task(
            network=rain.upsampler,
            name=first.name,
            optimizer=torch.optim.Adam(weights, lr=recipe.learning_rate),
            loss=loss,
            measure=measure,
            provenance={
                "pictures": feed.described,
                "super_resolution_sha256": first.digest,
                "classifier": victim.described,
            },
            file=NETWORK,
        ),
        last,
        reporter,
    )
    return {**history[-1], "untuned": history[0]["rain"]}


def distillation(logits: Tensor, answers: Tensor, *, temperature: float = _TEMPERATURE) -> Tensor:
    """Return how far logits are from answers, (n, classes) both: their divergence, softened, a mean over images.

    Times the square of the temperature, as Hinton et al. scale it; 0 where the two differ by a constant alone.
    """
    softened = (logits / temperature).log_softmax(1)
    aimed = (answers / temperature).log_softmax(1)
    return temperature**2 * kl_div(softened, aimed, reduction="batchmean", log_target=True)


def tone_difference(seen: Tensor, images: Tensor) -> Tensor:
    """Return by how much pictures, (n, 3, h, w) both, differ in brightness and contrast: a mean over channels.

    These are a channel's mean and standard deviation, which no circular shift changes. A classifier that evens out the
    exposure before it looks, as ours of signs does, cares for neither, and without this term such a one was shown
    pictures two to three times as bright, far beyond [0, 1], which fit no other classifier and no eye.
    """
    # A picture of one colour has no contrast, whose root has no slope.
    here, there = (torch.stack([some.mean((2, 3)), (some.var((2, 3)) + 1e-6).sqrt()]) for some in (seen, images))
    return (here - there).abs().sum(0).mean()


@torch.no_grad()
def _says(classifier: nn.Module, images: Tensor) -> Tensor:
    return torch.cat([classifier(part) for part in images.split(64)])
