"""Trained: what the file of every training holds beside its network, done or to be gone on with."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from natadv.errors import ConfigError, DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A training as read from its file.

    Attributes:
        recipe: the settings that it goes by.
        metrics: what was measured last.
        provenance: of its data and of what it began with, as plain values.
        digest: sha256 of the file, in hex.
        training: state to resume from; None in a finished file.
    """

    recipe: dict[str, Any]
    metrics: dict[str, Any]
    provenance: dict[str, Any]
    digest: str
    training: dict[str, Any] | None


def trained_content(
    *,
    recipe: Mapping[str, Any],
    metrics: Mapping[str, Any],
    provenance: Mapping[str, Any],
    training: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return this part of a file's content; all mappings hold plain values, `training` may hold tensors too."""
    return {
        "recipe": dict(recipe),
        "metrics": dict(metrics),
        "provenance": dict(provenance),
        "training": None if training is None else dict(training),
    }


def trained_fields(content: Mapping[str, Any], digest: str) -> dict[str, Any]:
    """Return the fields of `Trained`, as read back.

    Raises:
        KeyError, TypeError, ValueError: if the content has not what `trained_content` gave.
    """
    given = {name: content[name] for name in ("recipe", "metrics", "provenance", "training")}
    return {**trained_content(**given), "digest": digest}


@contextmanager
def fits_description(path: Path, what: str) -> Iterator[None]:
    """Say in one line that a file's network is not what its content describes.

    Args:
        path: the file.
        what: is in it, as "checkpoint".

    Raises:
        DataError: for whatever building the network by its description raises.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, RuntimeError, AttributeError, ConfigError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: the {what} does not fit its own description ({reason})") from error
