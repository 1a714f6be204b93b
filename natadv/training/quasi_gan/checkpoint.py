"""The file of a trained raindrop generator, and of a run to resume."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from natadv.models.quasi_gan.literal import LiteralGenerator
from natadv.models.quasi_gan.refracting import RefractingGenerator
from natadv.training.sealed import read_sealed, write_sealed
from natadv.training.trained import Trained, fits_description, trained_content, trained_fields

FORMAT = "natadv-raindrop-generator/1"
_KINDS: dict[str, type[nn.Module]] = {"literal": LiteralGenerator, "natadv": RefractingGenerator}


@dataclass(frozen=True, slots=True)
class LoadedGenerator(Trained):
    """A generator as read from its file.

    Attributes:
        generator: on the CPU, in eval mode.
        kind: the recipe's kind, `literal` or `natadv`.
    """

    generator: LiteralGenerator | RefractingGenerator
    kind: str


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
        **trained_content(recipe=recipe, metrics=metrics, provenance=provenance, training=training),
    }
    write_sealed(path, FORMAT, generator.state_dict(), content)


def load_generator(path: Path) -> LoadedGenerator:
    """Read a generator back.

    Raises:
        DataError: if the file is missing, torn, altered, or no raindrop generator.
    """
    content, digest = read_sealed(path, FORMAT, "raindrop generator of natadv")
    with fits_description(path, "generator"):
        generator = create_generator(content["kind"], content["width"])
        generator.load_state_dict(content["weights"])
        return LoadedGenerator(
            generator=generator.eval(),
            kind=content["kind"],
            **trained_fields(content, digest),
        )
