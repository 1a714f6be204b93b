"""Train a detector on a bank: Adam, a rate that is lowered where the loss stops falling (Agarwal et al. 2022, Sec. 4).

What is kept are the weights after the last epoch; the rate goes by the training loss. So the clean images that were
held back have chosen nothing when they choose the threshold, but the temperature, by which no image passes another.

A run's folder holds detector.pt (the result), last.pt (to resume from, after every epoch), metrics.jsonl (a line an
epoch), metrics.json and recipe.yaml.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric import Fabric

from natadv.detection.checkpoint import LoadedDetector, load_detector
from natadv.detection.material import gather
from natadv.detection.recipe import DetectorRecipe
from natadv.detection.run import LAST, Run, choose_threshold
from natadv.durable import replace_file
from natadv.errors import ConfigError
from natadv.training.device import choose_device, device_name
from natadv.training.progress import Report, silent
from natadv.training.resumable import state_to_resume
from natadv.training.run_folder import RECIPE, in_run_folder

Reporter = Callable[[], AbstractContextManager[Report]]


@in_run_folder
def train_detector(
    recipe: DetectorRecipe, out: Path, *, resume: bool = False, reporter: Reporter = silent
) -> dict[str, Any]:
    """Train by `recipe` into the folder `out` and return the final metrics.

    Args:
        recipe: all settings.
        out: new folder; with `resume`, one that may hold an interrupted run of the same recipe.
        resume: continue after the last complete epoch; the weights come out as if nothing had happened.
        reporter: gives a place to report progress to.

    Raises:
        ConfigError: if the settings do not fit each other, the bank or the folder, or the loss is not finite.
        DataError: if the bank, weights or a state are missing or torn.
        DeviceError: if the device asked for is not there.
        ResourceError: if the disk is full.
    """
    device = choose_device(recipe.device, precision=recipe.precision)
    last = _interrupted(recipe, out, resume)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    material = gather(recipe)
    # Before hours of training, not after them.
    choose_threshold(material.held, np.zeros(len(material.held)), recipe.false_alarms)
    if last is not None and last.provenance != material.provenance:
        raise ConfigError(f"{out}: its bank or weights changed since the run began; put them back, or train anew")
    fabric = Fabric(accelerator=device, devices=1, precision=recipe.precision)
    run = Run(fabric, recipe, out, material, last)
    if last is None:
        replace_file(out / RECIPE, recipe.yaml())
    with reporter() as report:
        while run.epoch < recipe.epochs:
            run.train_epoch(report)
    return run.finish(device_name(device, recipe.threads))


def _interrupted(recipe: DetectorRecipe, out: Path, resume: bool) -> LoadedDetector | None:
    """Return the state to resume from, or None to start."""
    last = state_to_resume(out / LAST, resume=resume)
    if last is None:
        return None
    loaded = load_detector(last)
    recipe.check_continues(loaded.recipe, last)
    return loaded
