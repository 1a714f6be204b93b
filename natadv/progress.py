"""Progress on standard error, so that standard output holds results alone: a bar on a terminal, lines in a log."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Report = Callable[[str, int, int], None]
"""Told what is being done, and how much of how much of it is."""

_BETWEEN_LINES_S = 60.0
_SLOW_S = 3600.0  # a block of images may take minutes; the time left is told from what was done within so long


def counted(verb: str, unit: str, *, clock: Callable[[], float] = time.monotonic) -> Progress:
    """Return a bar that counts: `verb` ====  3/48 `unit`, time so far, time left, and the task's description.

    Without a terminal it is a line of the same, one a minute at most by `clock`, in seconds.
    """
    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn(verb),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    if console.is_terminal:
        return _Jobs(*columns, console=console, transient=True, get_time=clock, speed_estimate_period=_SLOW_S)
    return _Lines(verb, unit, console=console, get_time=clock)


def nth(report: Report, number: int, total: int) -> Report:
    """Return a report on one of several jobs, which says which one."""
    return lambda what, done, images: report(f"{what}, {number} of {total}", done, images)


class _Jobs(Progress):
    """Progress of a task that may be one job after the other: where fewer are done than before, the next has begun."""

    def update(self, task_id: TaskID, **fields: Any) -> None:
        """Do as `Progress.update`; the next job's time so far, and time left, are its own."""
        task = next(task for task in self.tasks if task.id == task_id)
        if fields.get("completed", task.completed) < task.completed:
            self.reset(task_id)
        super().update(task_id, **fields)


class _Lines(_Jobs):
    """Progress for a log: whoever reads it later wants to know that the run lives, and until when."""

    def __init__(self, verb: str, unit: str, **kwargs: Any) -> None:
        super().__init__(disable=True, speed_estimate_period=_SLOW_S, **kwargs)
        self._verb, self._unit = verb, unit
        self._last_s = self.get_time()

    def update(self, task_id: TaskID, **fields: Any) -> None:
        """Do as `_Jobs.update`, and say so where a minute has passed."""
        super().update(task_id, **fields)
        self._say(task_id)

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Do as `Progress.advance`, and say so where a minute has passed."""
        super().advance(task_id, advance)
        self._say(task_id)

    def _say(self, task_id: TaskID) -> None:
        now_s = self.get_time()
        if now_s - self._last_s < _BETWEEN_LINES_S:
            return
        self._last_s = now_s
        task = next(task for task in self.tasks if task.id == task_id)
        total = "?" if task.total is None else f"{task.total:.0f}"
        parts = [f"{self._verb} {task.completed:.0f}/{total} {self._unit}"]
        parts += [
            f"{seconds} {word}"
            for seconds, word in ((_whole(task.elapsed), "so far"), (_whole(task.time_remaining), "left"))
            if seconds
        ]
        parts += [task.description] if task.description else []
        self.console.print(", ".join(parts), soft_wrap=True, markup=False)


def _whole(seconds: float | None) -> str:
    return "" if seconds is None else str(timedelta(seconds=round(seconds)))
