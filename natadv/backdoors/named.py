"""Triggers by name: `rdba`, `badnets`, `blended`, `rendered`, `generated`, with settings as NAME=VALUE."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

import yaml

from natadv.backdoors.patterns import BadNets, Blended
from natadv.backdoors.rdba import Rdba
from natadv.backdoors.trigger import Trigger
from natadv.errors import ConfigError


def _rendered(**settings: Any) -> Trigger:
    from natadv.backdoors.drops import Rendered  # noqa: PLC0415  # imports torch, which the other triggers do without

    return Rendered(**settings)


def _generated(**settings: Any) -> Trigger:
    from natadv.backdoors.learnt_drops import Generated  # noqa: PLC0415

    return Generated(**settings)


TRIGGERS: Mapping[str, tuple[Callable[..., Trigger], tuple[str, ...]]] = MappingProxyType(
    {
        "rdba": (Rdba, tuple(one.name for one in fields(Rdba))),
        "badnets": (BadNets, tuple(one.name for one in fields(BadNets))),
        "blended": (Blended, tuple(one.name for one in fields(Blended))),
        "rendered": (_rendered, ("wetness", "seed")),
        "generated": (_generated, ("generator", "sha256")),
    }
)
"""What makes each, and the names of its settings."""


_TEXTS = frozenset({"generator", "sha256", "picture"})
"""Settings that are no numbers, even of digits alone."""


def make_trigger(name: str, settings: Sequence[str] = ()) -> Trigger:
    """Return a trigger.

    Args:
        name: one of `TRIGGERS`.
        settings: as `alpha=3` or `length_px=[4, 8]`; the rest is the defaults.

    Raises:
        ConfigError: if there is no such trigger or setting, or a value is out of its range.
    """
    if name not in TRIGGERS:
        raise ConfigError(f"trigger {name!r}: expected one of {', '.join(TRIGGERS)}")
    _, known = TRIGGERS[name]
    given = {}
    for entry in settings:
        key, equals, text = entry.partition("=")
        if not equals or key not in known:
            near = get_close_matches(key, known, 1, 0.0)[0]
            what = f"no setting {key!r}" if equals else "expected NAME=VALUE"
            raise ConfigError(f"trigger {name}: {entry!r}: {what}, as {near}=...; it has {', '.join(known)}")
        given[key] = text if key in _TEXTS else _value(name, entry, text)
    return _made(name, given)


def _value(name: str, entry: str, text: str) -> Any:
    """Read a number, which YAML takes for text where it has an exponent but no point, a list, or text."""
    try:
        value = _number(text)
        value = yaml.safe_load(text) if value is None else value
    except yaml.YAMLError as error:
        raise ConfigError(f"trigger {name}: {entry!r}: expected a number, text or [a, list]") from error
    if isinstance(value, str) and isinstance(_default(name, entry.partition("=")[0]), int | float):
        raise ConfigError(f"trigger {name}: {entry!r}: expected a number")
    if not isinstance(value, list):
        return value
    return tuple(part if (number := _number(part)) is None else number for part in value)


def _number(value: object) -> int | float | None:
    for number in (int, float):
        with suppress(ValueError):
            if isinstance(value, str):
                return number(value)
    return None


def _default(name: str, key: str) -> Any:
    made_by = TRIGGERS[name][0]
    return next((one.default for one in fields(made_by) if one.name == key), None) if is_dataclass(made_by) else None


def kept_trigger(settings: Mapping[str, Any]) -> Trigger:
    """Return the trigger that papers describe, as `{"name": "rdba", "alpha": 6.0, ...}`.

    Raises:
        ConfigError: if there is no such trigger, or it cannot be made so here.
    """
    name = str(settings.get("name"))
    if name not in TRIGGERS:
        raise ConfigError(f"trigger {name!r}: expected one of {', '.join(TRIGGERS)}")
    given = {
        key: tuple(value) if isinstance(value, list) else value for key, value in settings.items() if key != "name"
    }
    if name == "generated":
        from natadv.backdoors.learnt_drops import reopened  # noqa: PLC0415

        given = reopened(given)
    return _made(name, given)


def _made(name: str, given: Mapping[str, Any]) -> Trigger:
    try:
        return TRIGGERS[name][0](**given)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"trigger {name}: {error}") from error
