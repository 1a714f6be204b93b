"""A rig's file, written for a person: every setting of every device, what it means, and what it is if left out.

The text comes from the drivers' settings themselves, so it cannot say anything else than they do.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from natadv.errors import ConfigError
from rigs.drivers import DRIVERS, settings_of
from rigs.rig import RigSettings
from rigs.settings import Settings, parse_settings

_WIDTH: Final = 116
_ENTRY = re.compile(r"^    (?:    )?(\w+): (.*)$")


@dataclass(frozen=True, slots=True)
class Question:
    """A setting without a default.

    Attributes:
        device: block of the file.
        name: key in that block.
        meaning: what it is; may be empty.
    """

    device: str
    name: str
    meaning: str


def questions(device: str, kind: str) -> list[Question]:
    """Return what must be known to use a driver.

    Raises:
        ConfigError: if there is no such driver.
    """
    settings = _driver(device, kind)
    meanings = _meanings(settings)
    return [
        Question(device, name, meanings.get(name, ""))
        for name, field in settings.model_fields.items()
        if field.is_required() and name != "kind"
    ]


def answer(device: str, kind: str, name: str, text: str) -> Any:
    """Return a setting from what a person typed, as YAML reads it.

    Raises:
        ConfigError: if there is no such setting, or the text is none of its values.
    """
    field = _driver(device, kind).model_fields.get(name)
    if field is None or name == "kind":
        known = ", ".join(key for key in _driver(device, kind).model_fields if key != "kind")
        raise ConfigError(f"{device}.{name}: {kind} has no such setting; it has {known}")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    for candidate in (value, text):  # a serial number is made of digits, and is a text all the same
        try:
            _adapter(field).validate_python(candidate)
        except ValidationError as error:
            said = error.errors()[0]["msg"]
        else:
            return candidate
    raise ConfigError(f"{device}.{name}: {said}, got {text!r}")


def rig_text(name: str, blocks: Mapping[str, Mapping[str, Any]], *, where: str) -> str:
    """Return a rig's file with comments, which has been read back.

    Args:
        name: of the rig.
        blocks: by device: its `kind`, and the settings that are not to be their defaults.
        where: names the file in errors.

    Raises:
        ConfigError: if the settings are wrong, or do not go together.
    """
    parts = [
        "# A rig: which camera looks at which screen through the plate, what carries the plate, what wets it.",
        "# A line that begins with # is a setting at its default; take the # away to change it.",
        *_line("name", name),
    ]
    for device in DRIVERS:
        parts += ["", *_block(device, blocks[device])]
    if any(block["kind"] == "simulated" for block in blocks.values()):
        parts += ["", *_bench()]
    parts += ["", *_line("settle_s", 0.2, "seconds that screen and plate need to come to rest after a change")]
    text = "\n".join(parts) + "\n"
    parse_settings(text, RigSettings, where=where)
    return text


def _driver(device: str, kind: str) -> type[Settings]:
    if kind not in DRIVERS[device]:
        raise ConfigError(f"{device}: no driver {kind}; there are {', '.join(DRIVERS[device])}")
    return settings_of(device, {"kind": kind})


def _block(device: str, given: Mapping[str, Any]) -> list[str]:
    kind = str(given["kind"])
    settings = _driver(device, kind)
    meanings = _meanings(settings)
    place = DRIVERS[device][kind].split(":")[0].replace(".", "/") + ".py"
    lines = [f"{device}: # {place}", *_line("kind", kind, indent=2)]
    for name, field in settings.model_fields.items():
        if name == "kind":
            continue
        if name in given:
            lines += _line(name, given[name], meanings.get(name, ""), indent=2)
        elif not field.is_required():
            lines += _line(name, _default(field), meanings.get(name, ""), indent=2, commented=True)
    return lines


def _bench() -> list[str]:
    """Return the room of simulated devices, as the simulated rig has it."""
    shipped = Path(__file__).with_name("simulated.yaml").read_text(encoding="utf-8")
    begin = shipped.index("\nbench:") + 1
    return shipped[begin : shipped.index("\n\n", begin)].splitlines()


def _line(name: str, value: Any, meaning: str = "", *, indent: int = 0, commented: bool = False) -> list[str]:
    """Return a setting's line, its meaning behind it, or above it where that is too long."""
    shown = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6)
    shown = shown.removesuffix("\n").removesuffix("\n...")
    margin = " " * indent
    entry = f"{margin}{'# ' if commented else ''}{name}: {shown}"
    if not meaning:
        return [entry]
    if len(entry) + len(meaning) + 3 <= _WIDTH:
        return [f"{entry} # {meaning}"]
    lines = [""]
    for word in meaning.split():
        if len(margin) + len(lines[-1]) + len(word) + 3 > _WIDTH:
            lines.append("")
        lines[-1] += f" {word}"
    return [*(f"{margin}#{line}" for line in lines), entry]


def _default(field: FieldInfo) -> Any:
    """Return a default as YAML can say it."""
    value = field.get_default(call_default_factory=True)
    return None if value is PydanticUndefined else TypeAdapter(Any).dump_python(value, mode="json")


def _adapter(field: FieldInfo) -> TypeAdapter[Any]:
    form: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return TypeAdapter(form)


def _meanings(settings: type[Settings]) -> dict[str, str]:
    """Return what the docstrings of a settings class and its bases say of each attribute."""
    found: dict[str, str] = {}
    for base in reversed(settings.__mro__):
        if not issubclass(base, Settings) or "Attributes:" not in (base.__doc__ or ""):
            continue
        name = None
        for line in str(base.__doc__).partition("Attributes:")[2].splitlines()[1:]:
            entry = _ENTRY.match(line)
            if entry and entry[1] in settings.model_fields:
                name, found[entry[1]] = entry[1], entry[2].strip()
            elif name and line.startswith(" " * 8) and line.strip():
                found[name] += f" {line.strip()}"
            else:
                name = None
    return found
