"""Train a super-resolution network to undo random downsampling: `train_super_resolution`.

The loss is the mean absolute error, EDSR's (Lim et al. 2017, Sec. 3.3), to the picture that was downsampled; with a
teacher, half of it is to what the teacher makes of the same pixels (distillation).
"""

import math
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Generator, Tensor, nn
from torch.nn.functional import l1_loss

from natadv.batches import to_batch
from natadv.defenses.random_downsample import draw_pick, random_downsample
from natadv.errors import ConfigError
from natadv.models.seeded import seeded
from natadv.models.super_resolution.create import Bicubic, create_super_resolution
from natadv.training.device import choose_device
from natadv.training.progress import silent
from natadv.training.rain.checkpoint import load_network
from natadv.training.rain.feed import Batch, open_feed
from natadv.training.rain.loop import Reporter, Task, interrupted, run_task
from natadv.training.rain.recipe import SuperResolutionRecipe
from natadv.training.run_folder import in_run_folder

NETWORK = "sr.pt"


@in_run_folder
def train_super_resolution(
    recipe: SuperResolutionRecipe, out: Path, *, resume: bool = False, reporter: Reporter = silent
) -> dict[str, Any]:
    """Train by `recipe` into the folder `out` and return the last measures, `psnr` and `psnr_bicubic` in decibels.

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
    teacher = load_network(Path(recipe.teacher)) if recipe.teacher else None
    with seeded(recipe.seed):
        network = create_super_resolution(recipe.network)
    if not list(network.parameters()):
        raise ConfigError(f"--network {recipe.network}: has nothing to train")
    feed = open_feed(recipe)
    guide = teacher.network.to(device).requires_grad_(False) if teacher else None
    shown = to_batch(feed.test.images, device)
    size = (recipe.size_px, recipe.size_px)
    picks = draw_pick(len(shown), size, Generator().manual_seed(recipe.seed), device=device)
    low = random_downsample(shown, picks)
    bicubic = psnr(Bicubic(), low, shown)

    def loss(model: nn.Module, batch: Batch, chance: Generator) -> Tensor:
        images = to_batch(batch.images, device)
        small = random_downsample(images, draw_pick(len(images), size, chance, device=device))
        made = model(small)[..., : size[0], : size[1]]
        error = l1_loss(made, images)
        if guide is None:
            return error
        with torch.no_grad():
            aim = guide(small)[..., : size[0], : size[1]]
        return 0.5 * (error + l1_loss(made, aim))

    history = run_task(
        Fabric(accelerator=device.type, devices=1, precision=recipe.precision),
        recipe,
        out,
        feed,
        Task(
            network=network,
            name=recipe.network,
            optimizer=torch.optim.Adam(network.parameters(), lr=recipe.learning_rate),
            loss=loss,
            measure=lambda model: {"psnr": psnr(model, low, shown), "psnr_bicubic": bicubic},
            provenance={"pictures": feed.described, "teacher_sha256": teacher.digest if teacher else None},
            file=NETWORK,
        ),
        last,
        reporter,
    )
    return history[-1]


@torch.no_grad()
def psnr(network: nn.Module, low: Tensor, high: Tensor, *, batch_size: int = 32) -> float:
    """Return the peak signal-to-noise ratio of a network's pictures, in decibels, over all pixels of all pictures.

    Args:
        network: doubles the sides.
        low: its input, (n, 3, h, w).
        high: what it should make, (n, 3, 2 h or 2 h - 1, 2 w or 2 w - 1), RGB in [0, 1].
        batch_size: pictures at once.
    """
    squares = 0.0
    for small, large in zip(low.split(batch_size), high.split(batch_size), strict=True):
        made = network(small)[..., : large.shape[-2], : large.shape[-1]].clamp(0, 1)
        squares += float((made - large).double().square().sum())
    return -10 * math.log10(max(squares / high.numel(), 1e-12))
