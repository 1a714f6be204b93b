"""Progress on the terminal, on standard error, so that standard output holds results alone."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def counted(verb: str, unit: str) -> Progress:
    """Return a bar that counts: `verb` ====  3/48 `unit`, time so far, time left, and the task's description."""
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
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
