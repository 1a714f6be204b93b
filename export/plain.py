"""Plain values: what a bundle may carry of other files' words: JSON, printable, and without anybody's home."""

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any

from pydantic import JsonValue


def plain_values(values: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Return a mapping as JSON values.

    Bundles travel, homes do not: of an absolute path its last name is kept, after "...".
    """
    return {printable(str(key)): _plain(value) for key, value in values.items()}


def _plain(value: Any) -> JsonValue:
    if isinstance(value, Mapping):
        return plain_values(value)
    if isinstance(value, (str, PurePath)):
        return without_home(printable(str(value)))
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Sequence):
        return [_plain(one) for one in value]
    return printable(str(value))


def without_home(text: str) -> str:
    """Return text as it is, or of an absolute path its last name."""
    for kind in (PurePosixPath, PureWindowsPath):
        if kind(text).is_absolute() or text.startswith("~"):
            return f".../{kind(text).name}"
    return text


def printable(text: str) -> str:
    """Return text with what cannot be printed written out, as in Python."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
