"""Recipes from command line options: the first that is wrong is named as it was typed."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from natadv.errors import ConfigError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_OPTIONS = {"learning_rate": "lr", "size_px": "size", "generators": "generator"}
"""Where an option's name is not the recipe's."""


def checked_recipe(make: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    """Return what `make`, a pydantic model or what builds one, makes of the options.

    Raises:
        ConfigError: if an option is wrong.
    """
    from pydantic import ValidationError  # noqa: PLC0415  # only where a command runs: `--help` is quick

    try:
        return make(**options)
    except ValidationError as error:
        first = error.errors()[0]
        reason = _reason(first)
        if not first["loc"]:
            raise ConfigError(reason) from error
        name = str(first["loc"][0])
        option = "--" + _OPTIONS.get(name, name).replace("_", "-")
        value = " ".join(map(str, first["input"])) if isinstance(first["input"], tuple) else first["input"]
        raise ConfigError(f"{option} {value}: {reason}") from error


_BOUNDS = {
    "greater_than_equal": ("ge", "{} or more"),
    "greater_than": ("gt", "more than {}"),
    "less_than_equal": ("le", "{} or less"),
    "less_than": ("lt", "less than {}"),
    "literal_error": ("expected", "{}"),
}
"""What of pydantic's errors says a bound, and how a person says it."""


def _reason(error: "ErrorDetails") -> str:
    """Say what an option may be; where pydantic tells no bound, what it says itself."""
    if error["type"] in _BOUNDS:
        name, words = _BOUNDS[error["type"]]
        bound = error["ctx"][name]
        return "expected " + words.format(f"{bound:g}" if isinstance(bound, float) else bound)
    return error["msg"].removeprefix("Value error, ")
