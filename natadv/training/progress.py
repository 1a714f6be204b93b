"""How far a training run is, for whoever watches it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@dataclass(frozen=True, slots=True)
class Step:
    """Where a run stands after one training step.

    Attributes:
        done: steps done, of this epoch and all before.
        total: steps of the whole run.
        epoch: the epoch, or another part of a run, from 1.
        epochs: of the whole run.
        loss: mean training loss of this epoch so far.
        summary: what was measured, in words, at an epoch's end; otherwise empty.
        part: what such a part is called.
    """

    done: int
    total: int
    epoch: int
    epochs: int
    loss: float
    summary: str = ""
    part: str = "epoch"


Report = Callable[[Step], None]


@contextmanager
def silent() -> Iterator[Report]:
    """Report to nobody."""
    yield lambda step: None


@contextmanager
def on_terminal(begun: str = "") -> Iterator[Report]:
    """Show a bar with loss and time left, and a line for each epoch, on standard error.

    Args:
        begun: a line to say first; a run reports only when all that it needs was found, so no error comes after it
            that a person could have mended before.
    """
    console = Console(stderr=True, highlight=False)
    if begun:
        console.print(begun, soft_wrap=True, markup=False)
    columns = (
        TextColumn("{task.fields[epoch]}"),
        BarColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None, epoch="", loss=float("nan"))

        def report(step: Step) -> None:
            name = f"{step.part} {step.epoch}/{step.epochs}"
            bar.update(task, completed=step.done, total=step.total, epoch=name, loss=step.loss)
            if step.summary:
                console.print(f"{name}: {step.summary}", soft_wrap=True)

        yield report
