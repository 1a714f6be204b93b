"""Recipes from command line options: the first that is wrong is named as it was typed."""

from collections.abc import Callable, Mapping
from typing import Any

from natadv.errors import ConfigError

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
        reason = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            raise ConfigError(reason) from error
        name = str(first["loc"][0])
        option = "--" + _OPTIONS.get(name, name).replace("_", "-")
        value = " ".join(map(str, first["input"])) if isinstance(first["input"], tuple) else first["input"]
        raise ConfigError(f"{option} {value}: {reason}") from error
