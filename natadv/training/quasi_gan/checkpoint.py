"""The file of a trained raindrop generator, and of a run to resume."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from natadv.errors import DataError
from natadv.models.quasi_gan.literal import LiteralGenerator
from natadv.models.quasi_gan.refracting import RefractingGenerator
from natadv.training.sealed import read_sealed, write_sealed

FORMAT = "natadv-raindrop-generator/1"
_KINDS: dict[str, type[nn.Module]] = {"literal": LiteralGenerator, "natadv": RefractingGenerator}


@dataclass(frozen=True, slots=True)
class LoadedGenerator:
    """A generator as read from its file.

    Attributes:
        generator: on the CPU, in eval mode.
        kind: the recipe's kind, `literal` or `natadv`.
        recipe: the settings that it was trained with.
        metrics: what was measured last.
        provenance: the data's names and counts.
        digest: sha256 of the file, in hex.
        training: state to resume from; None in a finished file.
    """

    generator: LiteralGenerator | RefractingGenerator
    kind: str
    recipe: dict[str, Any]
    metrics: dict[str, Any]
    provenance: dict[str, Any]
    digest: str
    training: dict[str, Any] | None


def create_generator(kind: str, width: int) -> LiteralGenerator | RefractingGenerator:
    """Build a generator with fresh weights from torch's random generator."""
    return _KINDS[kind](width)  # type: ignore[return-value]


def save_generator(
    path: Path,
    generator: LiteralGenerator | RefractingGenerator,
    *,
    kind: str,
    recipe: Mapping[str, Any],
    metrics: Mapping[str, Any],
    provenance: Mapping[str, Any],
    training: Mapping[str, Any] | None = None,
) -> None:
    """Write a generator; the file appears under its name only when it is whole.

    Raises:
        ResourceError: if the disk is full.
        DataError: if the file system refuses for another reason.
    """
    content = {
        "kind": kind,
        "width": generator.width,
        "recipe": dict(recipe),
        "metrics": dict(metrics),
        "provenance": dict(provenance),
        "training": None if training is None else dict(training),
    }
    write_sealed(path, FORMAT, generator.state_dict(), content)


def load_generator(path: Path) -> LoadedGenerator:
    """Read a generator back.

    Raises:
        DataError: if the file is missing, torn, altered, or no raindrop generator.
    """
    content, digest = read_sealed(path, FORMAT, "raindrop generator of natadv")
    try:
        generator = create_generator(content["kind"], content["width"])
        generator.load_state_dict(content["weights"])
        return LoadedGenerator(
            generator=generator.eval(),
            kind=content["kind"],
            recipe=dict(content["recipe"]),
            metrics=dict(content["metrics"]),
            provenance=dict(content["provenance"]),
            digest=digest,
            training=content["training"],
        )
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: the generator does not fit its own description ({reason})") from error
