"""Libraries that only some rigs need: imported when a device is opened, missed in one line."""

import warnings
from importlib import import_module
from typing import Any

from natadv.errors import ConnectError


def vendor(module: str, *, extra: str, device: str) -> Any:
    """Import a module of an optional library.

    Args:
        module: its whole name, as `pypylon.pylon`.
        extra: the extra of natadv that brings it.
        device: what needs it, to begin the error with.

    Raises:
        ConnectError: if it is not installed, or cannot be loaded.
    """
    library = module.partition(".")[0]
    try:
        with warnings.catch_warnings():
            # SWIG's modules (pypylon, genicam) warn of themselves, and crash the process where that is an error.
            warnings.simplefilter("ignore", DeprecationWarning)
            return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != library:
            raise
        raise ConnectError(f"{device}: needs {library}: in natadv's checkout, pip install '.[{extra}]'") from error
    except ImportError as error:
        raise ConnectError(f"{device}: {library} is installed but cannot be loaded ({first_line(error)})") from error


def first_line(error: BaseException) -> str:
    """Return what an error of a library says, at a length that fits into one line of ours."""
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
