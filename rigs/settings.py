"""Settings that a person types: YAML into frozen pydantic models, with errors that name line and nearest key."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from yaml.reader import ReaderError

from natadv.errors import ConfigError


class Settings(BaseModel):
    """Base of all that is read from YAML: unknown keys and later changes are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def fitting(cls, data: dict[str, Any]) -> type[Self]:
        """Return the class that reads `data`; one whose blocks depend on what they say gives another than itself."""
        return cls


S = TypeVar("S", bound=Settings)


def load_settings(path: Path, model: type[S]) -> S:
    """Read one YAML file into `model`.

    Raises:
        ConfigError: one line with the file, the line, what is wrong there and, for a wrong key, the nearest.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({getattr(error, 'strerror', 'not UTF-8 text')})") from error
    return parse_settings(text, model, where=str(path))


def parse_settings(text: str, model: type[S], *, where: str) -> S:
    """Parse YAML text into `model`; `where` names its origin in errors.

    Raises:
        ConfigError: as `load_settings`.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{where}, line {line}: not YAML ({error.problem})") from error
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(
            f"{where}, line {line}: not YAML (character {text[error.position]!r} is not allowed)"
        ) from error
    except (yaml.YAMLError, ValueError) as error:  # a ValueError is a date that there is not, as 2026-13-01
        raise ConfigError(f"{where}: not YAML ({' '.join(str(error).split())})") from error
    # YAML itself lets the last of them win, in silence.
    for line, key in _repeated(root):
        raise ConfigError(f"{where}, line {line}: key `{key}` is there already; remove one of the two")
    if not isinstance(data, dict):
        raise ConfigError(f"{where}: expected `key: value` lines, got {type(data).__name__}")
    model = model.fitting(data)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        # A misspelt key is also a missing one; the misspelling is what to mend.
        first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        place = tuple(part for part in first["loc"] if _is_in(root, first["loc"], part))
        raise ConfigError(f"{where}, line {_line(root, place)}: {_say(first, place, model)}") from error


def _repeated(root: yaml.Node | None) -> Iterator[tuple[int, str]]:
    """Yield line and name of every key that its block has already."""
    waiting, seen = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:  # an alias may name a node again, even within itself
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
        if isinstance(node, yaml.MappingNode):
            names = set[str]()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in names:
                        yield key.start_mark.line + 1, key.value
                    names.add(key.value)
                waiting.append(value)


def _say(error: ErrorDetails, place: Sequence[str | int], model: type[BaseModel]) -> str:
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(place[-1]), _keys(model, place[:-1]), 1, 0.0)
        return f"unknown key `{name}`; did you mean `{near[0]}`?" if near else f"unknown key `{name}`"
    if error["type"] == "missing":
        return f"`{name}` is missing"
    message = error["msg"].removeprefix("Value error, ")
    return f"`{name}`: {message}, got {error['input']!r}" if name else message


def _keys(model: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    for part in place:
        annotation = model.model_fields[str(part)].annotation if str(part) in model.model_fields else None
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        inner = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        if not inner:
            return []
        model = inner[0]
    return list(model.model_fields)


def _child(node: yaml.Node | None, key: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == str(key):
                return name.start_mark.line, value
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key].start_mark.line, node.value[key]
    return None


def _is_in(root: yaml.Node | None, place: Sequence[str | int], part: str | int) -> bool:
    """Whether a part of pydantic's place is a key of the file, not the tag of a union."""
    node = root
    for step in place:
        found = _child(node, step)
        if step == part:
            return found is not None
        if found:
            node = found[1]
    return False


def _line(root: yaml.Node | None, place: Sequence[str | int]) -> int:
    node, line = root, root.start_mark.line if root else 0
    for step in place:
        found = _child(node, step)
        if found is None:
            break
        line, node = found
    return line + 1
