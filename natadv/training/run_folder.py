"""The folder of a training run: one run at a time, and no trace of one that kept nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from natadv.durable import file_error
from natadv.lock import held

STATE, RECIPE = "last.pt", "recipe.yaml"
_LOCK = ".lock"
_Recipe, _Result, _Rest = TypeVar("_Recipe"), TypeVar("_Result"), ParamSpec("_Rest")


@contextmanager
def run_folder(out: Path) -> Iterator[None]:
    """Make the folder and keep other runs out meanwhile.

    A run that ends by an error or a signal before it kept a state to go on with leaves no folder where none was.

    Raises:
        DataError: if another run is at work there, or the folder cannot be made.
        ResourceError: if the disk is full.
    """
    new = not out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise file_error(out, error) from error
    with held(out / _LOCK, f"{out}: another run trains there; wait for its end, or name another folder"):
        try:
            yield
        except BaseException:
            if new and not (out / STATE).exists():
                _clear(out)
            raise


def in_run_folder(
    train: Callable[Concatenate[_Recipe, Path, _Rest], _Result],
) -> Callable[Concatenate[_Recipe, Path, _Rest], _Result]:
    """Let a training, a function of a recipe, a folder and more, work in its folder alone; see `run_folder`."""

    @wraps(train)
    def alone(recipe: _Recipe, out: Path, *args: _Rest.args, **kwargs: _Rest.kwargs) -> _Result:
        with run_folder(out):
            return train(recipe, out, *args, **kwargs)

    return alone


def _clear(out: Path) -> None:
    """Remove what every run begins with; a folder with more in it stays."""
    for name in (RECIPE, _LOCK):
        (out / name).unlink(missing_ok=True)
    with suppress(OSError):
        out.rmdir()
