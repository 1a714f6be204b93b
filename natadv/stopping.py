"""Stopping a command that can be gone on with: Ctrl-C and SIGTERM end it alike, with one line."""

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType

import typer


@contextmanager
def stoppable(last_words: Callable[[], str]) -> Iterator[None]:
    """End the block on SIGINT or SIGTERM as a KeyboardInterrupt does; say `last_words`, exit with 130 or 143.

    What kept its state by then keeps it; a second SIGTERM ends the process at once.

    Args:
        last_words: what was kept, and how to go on; asked for when all in the block has ended.

    Raises:
        typer.Exit: when one of them came.
    """
    code = 128 + signal.SIGINT

    def terminated(number: int, _: FrameType | None) -> None:
        nonlocal code
        code = 128 + number
        signal.signal(number, before)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, terminated)
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"stopped; {last_words()}", err=True)
        raise typer.Exit(code) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def stoppable_training(out: Path, unit: str) -> AbstractContextManager[None]:
    """Return `stoppable` for a training into the folder `out`, which keeps its state with each `unit`."""

    def last_words() -> str:
        if (out / "last.pt").exists():
            return f"the same command with --resume goes on after the last {unit} in {out}"
        return "there is nothing to go on with yet; the same command with --resume begins anew"

    return stoppable(last_words)
