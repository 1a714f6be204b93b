"""The loop of both trainings of RAIN: steps, measures, a state to resume from, a finished file."""

import json
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Generator, Tensor, nn

from natadv.durable import replace_file
from natadv.errors import ConfigError
from natadv.training.progress import Report, Step, silent
from natadv.training.rain.checkpoint import LoadedNetwork, load_network, save_network
from natadv.training.rain.feed import Batch, Feed, batches
from natadv.training.rain.recipe import PictureRecipe
from natadv.training.resumable import state_to_resume
from natadv.training.run_folder import RECIPE, STATE

LAST, METRICS = STATE, "metrics.jsonl"
Reporter = Callable[[], AbstractContextManager[Report]]
_NOISE = 33  # stream of chance


@dataclass(frozen=True)
class Task:
    """What one training does.

    Attributes:
        network: what is trained, in its first state.
        name: of its architecture.
        optimizer: over its weights.
        loss: of a batch, with a generator of all its chance.
        measure: what is said of the network now, as plain numbers.
        provenance: kept with the file; a resumed run must have the same.
        file: name of the result.
    """

    network: nn.Module
    name: str
    optimizer: torch.optim.Optimizer
    loss: Callable[[nn.Module, Batch, Generator], Tensor]
    measure: Callable[[nn.Module], dict[str, float]]
    provenance: dict[str, Any]
    file: str


def interrupted(recipe: PictureRecipe, out: Path, resume: bool) -> LoadedNetwork | None:
    """Return the state to resume from, or None to start.

    Raises:
        ConfigError: if the folder holds a run and it is not to be resumed, or it was begun with other settings.
    """
    last = state_to_resume(out / LAST, resume=resume)
    if last is None:
        return None
    loaded = load_network(last)
    recipe.check_continues(loaded.recipe, last)
    return loaded


def run_task(
    fabric: Fabric,
    recipe: PictureRecipe,
    out: Path,
    feed: Feed,
    task: Task,
    last: LoadedNetwork | None,
    reporter: Reporter = silent,
) -> list[dict[str, Any]]:
    """Train, and return all measures, from those before the first step to the last.

    Args:
        fabric: where to compute.
        recipe: all settings.
        out: new folder, or that of the interrupted run.
        feed: the pictures.
        task: what to do with them.
        last: the state to resume from.
        reporter: gives a place to report progress to.

    Raises:
        ConfigError: if the loss or a weight is not finite, or an interrupted run had other data.
        DataError: if a file cannot be written.
        ResourceError: if the disk is full.
    """
    network, optimizer = fabric.setup(task.network, task.optimizer)
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    done, history = 0, []
    if last is not None:
        if last.provenance != task.provenance:
            raise ConfigError(
                f"{out}: its pictures or models changed since the run began; put them back, or train anew"
            )
        state = last.training or {}
        task.network.load_state_dict(last.network.state_dict())
        optimizer.load_state_dict(state["optimizer"])
        done, history = state["step"], state["history"]
        _write_measures(out, history)  # a stop may have come between the state and its measures
    else:
        replace_file(out / RECIPE, recipe.yaml())
        history.append({"step": 0, **task.measure(task.network.eval())})
    about = {"name": task.name, "recipe": recipe.model_dump(mode="json"), "provenance": task.provenance}
    total = 0.0
    with reporter() as report:
        for batch in batches(feed, done, recipe.steps):
            chance = Generator().manual_seed(recipe.seed * 1_000_003 + _NOISE + done * 7919)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * 0.5 * (1 + math.cos(math.pi * done / recipe.steps))
            task.network.train()
            optimizer.zero_grad()
            loss = task.loss(network, batch, chance)
            fabric.backward(loss)
            optimizer.step()
            done += 1
            value = float(loss.detach())
            if not math.isfinite(value):
                raise ConfigError(f"{out}: the loss is {value} in step {done}; try a lower --lr")
            total += value
            summary = ""
            if done % recipe.every == 0 or done == recipe.steps:
                # A finite loss may have a slope that is none, and after the last step no loss follows that would tell.
                if not all(bool(weight.isfinite().all()) for weight in task.network.parameters()):
                    raise ConfigError(f"{out}: weights are no numbers after step {done}; try a lower --lr")
                count = (done - 1) % recipe.every + 1
                measured = {"step": done, "loss": total / count, **task.measure(task.network.eval())}
                total = 0.0
                history.append(measured)
                state = {"step": done, "history": history, "optimizer": optimizer.state_dict()}
                save_network(out / LAST, task.network, metrics=measured, training=state, **about)
                _write_measures(out, history)
                summary = ", ".join(f"{name} {number:.4g}" for name, number in measured.items() if name != "step")
            part, parts = (done - 1) // recipe.every + 1, -(-recipe.steps // recipe.every)
            report(Step(done, recipe.steps, part, parts, value, summary, "part"))
    save_network(out / task.file, task.network.eval(), metrics=history[-1], **about)
    return history


def _write_measures(out: Path, history: list[dict[str, Any]]) -> None:
    replace_file(out / METRICS, "".join(json.dumps(line) + "\n" for line in history).encode())
