"""What triggers there are and what can be set of each, from where it is written: their own docstrings."""

import inspect
from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any

from natadv.backdoors.drops import Rendered
from natadv.backdoors.learnt_drops import Generated
from natadv.backdoors.named import TRIGGERS
from natadv.backdoors.patterns import BadNets, Blended
from natadv.backdoors.rdba import Rdba

_MADE_BY: dict[str, type[Any]] = {
    "rdba": Rdba,
    "badnets": BadNets,
    "blended": Blended,
    "rendered": Rendered,
    "generated": Generated,
}


def described_triggers() -> Iterator[str]:
    """Yield a line for each trigger, and one for each of its settings: name, default, meaning."""
    for name, (_, settings) in TRIGGERS.items():
        made_by = _MADE_BY[name]
        text = inspect.getdoc(made_by) or ""
        yield f"{name}: {text.splitlines()[0]}"
        meanings = _attributes(text)
        for setting in settings:
            yield f"  {setting}={_shown(made_by, setting)}  {meanings.get(setting, '')}".rstrip()


def _attributes(text: str) -> dict[str, str]:
    """Return what the `Attributes:` of a docstring say, each as one line."""
    found: dict[str, str] = {}
    name = ""
    for line in text.partition("Attributes:\n")[2].splitlines():
        if not line.startswith("    "):
            break
        if line.startswith("        "):
            found[name] += f" {line.strip()}"
        else:
            name, _, said = line.strip().partition(": ")
            found[name] = said
    return found


def _shown(made_by: type[Any], setting: str) -> str:
    default = next((one.default for one in fields(made_by) if one.name == setting), MISSING)
    if default is MISSING or default is None or default == "":
        return ""
    return str(list(default)) if isinstance(default, tuple) else str(default)
