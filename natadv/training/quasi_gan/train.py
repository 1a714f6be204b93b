"""Train the AdvRD quasi-GAN: `train_quasi_gan`.

A run's folder holds generator.pt (the result), last.pt (to resume from), recipe.yaml, metrics.jsonl, a sample grid
every so many steps in samples/, and TensorBoard's events in tensorboard/.
"""

import json
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from lightning.fabric import Fabric
from torch.utils.tensorboard import SummaryWriter

from natadv.durable import file_error, replace_file
from natadv.errors import ConfigError
from natadv.images import write_image
from natadv.models.seeded import seeded
from natadv.training.device import choose_device
from natadv.training.progress import Report, Step, silent
from natadv.training.quasi_gan.checkpoint import LoadedGenerator, load_generator, save_generator
from natadv.training.quasi_gan.materials import Materials, gather
from natadv.training.quasi_gan.recipe import QuasiGanRecipe
from natadv.training.quasi_gan.samples import diversity, sample_grid
from natadv.training.quasi_gan.step import Losses, QuasiGan
from natadv.training.resumable import state_to_resume
from natadv.training.run_folder import RECIPE, STATE, in_run_folder

GENERATOR, LAST, METRICS = "generator.pt", STATE, "metrics.jsonl"
Reporter = Callable[[], AbstractContextManager[Report]]
_NOISE = 21  # stream of chance


@in_run_folder
def train_quasi_gan(
    recipe: QuasiGanRecipe, out: Path, *, resume: bool = False, reporter: Reporter = silent
) -> dict[str, Any]:
    """Train by `recipe` into the folder `out` and return the last metrics.

    Args:
        recipe: all settings.
        out: new folder; with `resume`, one that may hold an interrupted run of the same recipe.
        resume: continue after the last state kept.
        reporter: gives a place to report progress to.

    Raises:
        ConfigError: if the settings do not fit each other, the data or the folder, or a loss is not finite.
        DataError: if data or a checkpoint are missing or torn.
        DeviceError: if the device asked for is not there.
        ResourceError: if the disk is full.
    """
    device = choose_device(recipe.device, precision=recipe.precision)
    last = _interrupted(recipe, out, resume)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
        cv2.setNumThreads(recipe.threads)
    fabric = Fabric(accelerator=device, devices=1, precision=recipe.precision)
    materials = gather(recipe)
    if last is not None:
        for name, now in materials.provenance.items():
            if last.provenance.get(name) != now:
                raise ConfigError(f"{out}: {name} changed since the run began; put it back, or train anew")
    run = _Run(fabric, recipe, out, materials)
    if last is None:
        try:
            (out / "samples").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise file_error(out, error) from error
        replace_file(out / RECIPE, recipe.yaml())
    else:
        run.restore(last)
    with reporter() as report:
        run.train(report)
    run.finish()
    return run.history[-1]


def _interrupted(recipe: QuasiGanRecipe, out: Path, resume: bool) -> LoadedGenerator | None:
    last = state_to_resume(out / LAST, resume=resume)
    if last is None:
        return None
    loaded = load_generator(last)
    recipe.check_continues(loaded.recipe, last)
    return loaded


class _Run:
    """A quasi-GAN in training, and what was measured of it."""

    def __init__(self, fabric: Fabric, recipe: QuasiGanRecipe, out: Path, materials: Materials) -> None:
        self._fabric, self._recipe, self._out, self._materials = fabric, recipe, out, materials
        with seeded(recipe.seed):
            self._gan = QuasiGan(fabric, recipe, materials.classifier)
        if (initial := materials.initial) is not None:
            self._gan.begin_from(initial.generator.state_dict(), (initial.training or {})["gan"])
        self._done = 0
        self.history: list[dict[str, Any]] = []

    def restore(self, last: LoadedGenerator) -> None:
        state = last.training or {}
        self._gan.restore(last.generator.state_dict(), state["gan"])
        self._done, self.history = state["step"], state["history"]

    def train(self, report: Report) -> None:
        recipe = self._recipe
        sums: Losses = {}
        with SummaryWriter(str(self._out / "tensorboard"), purge_step=self._done) as board:
            for batch in self._materials.feed.batches(self._done, recipe.steps):
                chance = torch.Generator().manual_seed(recipe.seed * 1_000_003 + _NOISE + self._done * 7919)
                ramp = 0 if recipe.init else recipe.warmup * recipe.steps
                losses = self._gan.step(batch, chance, say=min(1.0, self._done / ramp) if ramp else 1.0)
                self._done += 1
                if not all(map(math.isfinite, losses.values())):
                    raise ConfigError(f"{self._out}: a loss is not finite in step {self._done}; try a lower --lr")
                sums = {name: sums.get(name, 0.0) + value for name, value in losses.items()}
                part = (self._done - 1) // recipe.every + 1
                parts = -(-recipe.steps // recipe.every)
                summary = ""
                if self._done % recipe.every == 0 or self._done == recipe.steps:
                    count = (self._done - 1) % recipe.every + 1
                    summary = self._measure({name: value / count for name, value in sums.items()}, board)
                    sums = {}
                made = losses["reconstruction"]
                report(Step(self._done, recipe.steps, part, parts, made, summary, "part"))

    def _measure(self, losses: Losses, board: SummaryWriter) -> str:
        """Measure, draw, keep; return a line about it."""
        generator, materials = self._gan.generator.eval(), self._materials
        device = self._fabric.device
        codes = torch.randn((64, generator.latent_dim), generator=torch.Generator().manual_seed(self._recipe.seed + 1))
        clean = materials.shown.clean
        measured = {"step": self._done, **losses, "diversity": diversity(generator, clean, codes, device)}
        if materials.rfid is not None:
            measured["rfid"] = materials.rfid(generator)
        grid = sample_grid(generator, clean, materials.shown.rain, codes[:6], device)
        write_image(self._out / "samples" / f"step-{self._done:06d}.png", grid)
        for name, value in measured.items():
            board.add_scalar(name, value, self._done)
        board.add_image("samples", np.ascontiguousarray(grid), self._done, dataformats="HWC")
        self.history.append(measured)
        self._keep()
        return ", ".join(f"{name} {value:.3g}" for name, value in measured.items() if name != "step")

    def finish(self) -> None:
        """Write the result, once more where a run ended between its last state and this."""
        save_generator(self._out / GENERATOR, self._gan.generator, **self._about())

    def _about(self) -> dict[str, Any]:
        return {
            "kind": self._recipe.kind,
            "recipe": self._recipe.model_dump(mode="json"),
            "metrics": self.history[-1],
            "provenance": self._materials.provenance,
        }

    def _keep(self) -> None:
        state = {"step": self._done, "history": self.history, "gan": self._gan.state()}
        save_generator(self._out / LAST, self._gan.generator, training=state, **self._about())
        replace_file(self._out / METRICS, "".join(json.dumps(line) + "\n" for line in self.history).encode())
