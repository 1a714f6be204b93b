"""Train a classifier, or harden one: Lightning Fabric, one-cycle AdamW, averaged weights.

The kept model is the running mean of the weights (Polyak and Juditsky 1992, here with exponential decay) after the
last epoch. Nothing is chosen by accuracy on the test part, which therefore stays an honest measure.

A run's folder holds checkpoint.pt (the result), last.pt (to resume from, after every epoch), metrics.jsonl (a line
an epoch), metrics.json and recipe.yaml.
"""

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import cv2
import torch
from lightning.fabric import Fabric

from natadv.durable import replace_file
from natadv.errors import ConfigError
from natadv.training.checkpoint import load_classifier, save_checkpoint
from natadv.training.device import choose_device, device_name
from natadv.training.lineage import pictures_of
from natadv.training.materials import MATERIALS, Materials, gather
from natadv.training.progress import Report, silent
from natadv.training.recipe import Recipe
from natadv.training.resumable import state_to_resume
from natadv.training.run import LAST, Run
from natadv.training.run_folder import RECIPE, in_run_folder

CHECKPOINT, SUMMARY = "checkpoint.pt", "metrics.json"
Reporter = Callable[[], AbstractContextManager[Report]]
Gather = Callable[[Recipe], Materials]


@in_run_folder
def train_classifier(
    recipe: Recipe, out: Path, *, resume: bool = False, reporter: Reporter = silent, gathered: Gather = gather
) -> dict[str, Any]:
    """Train by `recipe` into the folder `out` and return the final metrics.

    Args:
        recipe: all settings.
        out: new folder; with `resume`, one that may hold an interrupted run of the same recipe.
        resume: continue after the last complete epoch; the weights come out as if nothing had happened.
        reporter: gives a place to report progress to; called once, in the first process.
        gathered: reads the data and builds the model of the recipe.

    Raises:
        ConfigError: if the settings do not fit each other, the data or the folder, or the loss is not finite.
        DataError: if data or a checkpoint are missing or torn, or another run trains into the folder.
        DeviceError: if the device asked for is not there.
        ResourceError: if the disk is full.
    """
    device = choose_device(recipe.device, count=recipe.devices, precision=recipe.precision)
    interrupted = _interrupted(recipe, out, resume)
    strategy = "auto" if recipe.devices == 1 else "ddp_spawn"
    fabric = Fabric(accelerator=device, devices=recipe.devices, strategy=strategy, precision=recipe.precision)
    return fabric.launch(_train, recipe, out, interrupted, reporter, gathered)


def _interrupted(recipe: Recipe, out: Path, resume: bool) -> Path | None:
    """Return the state to resume from, or None to start."""
    last = state_to_resume(out / LAST, resume=resume)
    if last is None:
        return None
    recipe.check_continues(load_classifier(last).recipe, last)
    return last


def _train(
    fabric: Fabric, recipe: Recipe, out: Path, interrupted: Path | None, reporter: Reporter, gathered: Gather
) -> dict[str, Any]:
    started, cpu_started = time.monotonic(), time.process_time()
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
        cv2.setNumThreads(recipe.threads)
    run, provenance = _prepared(fabric, recipe, out, interrupted, gathered)
    with reporter() if fabric.is_global_zero else silent() as report:
        while run.epoch < recipe.epochs:
            run.train_epoch(report)
    metrics = dict(run.history[-1])
    if recipe.init:
        metrics["accuracy_before"] = run.history[0]["accuracy"]
    if fabric.is_global_zero:
        save_checkpoint(
            out / CHECKPOINT,
            run.result,
            metrics=metrics,
            recipe=recipe.model_dump(mode="json"),
            provenance=provenance,
        )
        metrics |= {
            "device": device_name(fabric.device.type),
            "seconds": round(time.monotonic() - started, 2),
            "cpu_seconds": round(time.process_time() - cpu_started, 2),
        }
        replace_file(out / SUMMARY, (json.dumps(metrics, indent=1) + "\n").encode())
    return metrics


def _prepared(
    fabric: Fabric, recipe: Recipe, out: Path, interrupted: Path | None, gathered: Gather
) -> tuple[Run, dict[str, Any]]:
    materials = gathered(recipe)
    run = Run(fabric, recipe, out, materials)
    if interrupted:
        last = load_classifier(interrupted)
        _check_same(interrupted, last.provenance, materials.provenance)
        run.restore(last)
    elif fabric.is_global_zero:
        replace_file(out / RECIPE, recipe.yaml())
    return run, materials.provenance


def _check_same(last: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuse to go on with other pictures or another first checkpoint under the same names."""
    for name in MATERIALS:
        if before.get(name, []) != now[name]:
            raise ConfigError(
                f"{last}: {name} changed since the run began; put it back, or train anew in another folder"
            )
    if pictures_of(before) != pictures_of(now) and pictures_of(before) is not None:
        raise ConfigError(
            f"{last}: the run began with other training images than there are now; put those back, or train anew in "
            "another folder"
        )
