"""Generators by name: `optics`, `optics:PRESET`, either with `@LIGHT`, `gan`, or the file of a trained one."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from natadv.errors import ConfigError
from natadv.models.optics_generator import OpticsGenerator
from natadv.raindrops.presets import PRESETS
from natadv.training.quasi_gan.checkpoint import load_generator

OPTICS, GAN = "optics", "gan"
_WETNESS = "medium"

SHIPPED = Path(__file__).parents[1] / "models" / "quasi_gan" / "gan.pt"
"""The quasi-GAN that comes with natadv; docs/decisions/0007 says how it was trained."""


@dataclass(frozen=True)
class OpenedGenerator:
    """A generator, opened.

    Attributes:
        generator: frozen, in eval mode, on the CPU.
        name: see `generator_name`.
        described: see `described`.
    """

    generator: nn.Module
    name: str
    described: str


def check_generator(name: str) -> None:
    """Refuse a name that `open_generator` could not open, without opening it.

    Raises:
        ConfigError: if there is no such preset or file, or the light is none.
    """
    if not is_trained(name):
        bench_of(name)
    elif not generator_file(name).is_file():
        raise ConfigError(f"generator {name}: not a file, nor {OPTICS}, {OPTICS}:PRESET[@LIGHT] or {GAN}")


def bench_of(name: str) -> tuple[str, float | None]:
    """Return the preset, and the light around the picture, that a name of optics says; None for any light.

    Raises:
        ConfigError: if there is no such preset, or the light is none.
    """
    kind, at, light = name.partition("@")
    _, colon, wetness = kind.partition(":")
    if colon and wetness not in PRESETS:
        raise ConfigError(f"generator {name}: no preset {wetness!r}; there are {', '.join(PRESETS)}")
    if not at:
        return wetness or _WETNESS, None
    try:
        ambient = float(light)
    except ValueError:
        ambient = math.nan
    if not 0 <= ambient <= 1:
        raise ConfigError(f"generator {name}: expected the light around the picture after @, from 0 to 1")
    return wetness or _WETNESS, ambient


def open_generator(name: str, size: tuple[int, int]) -> OpenedGenerator:
    """Return what a name stands for.

    Args:
        name: `optics` (medium wet), `optics:` with a preset of `natadv.raindrops.presets`, `gan` for the quasi-GAN
            that comes with natadv, or a file of `natadv train advrd`. Optics takes surroundings from dark to bright,
            or those whose light follows an @: `optics:heavy@0.18`.
        size: height and width of the pictures, px.

    Raises:
        ConfigError: if there is no such preset or file.
        DataError: if the file is torn or no generator.
    """
    check_generator(name)
    if is_trained(name):
        loaded = load_generator(generator_file(name))
        return OpenedGenerator(loaded.generator.requires_grad_(False), generator_name(name), described(name))
    wetness, ambient = bench_of(name)
    optics = OpticsGenerator(size, wetness, ambient=ambient)
    return OpenedGenerator(optics.eval(), generator_name(name), described(name))


def generator_name(name: str) -> str:
    """Return what a table calls it: `optics`, `optics heavy`, `gan`, or the name of a file, or of its folder."""
    if not is_trained(name):
        return name.replace(":", " ").replace("@", " ambient ")
    path = generator_file(name).absolute()
    return path.parent.name if path.stem == "generator" else path.stem


def described(name: str) -> str:
    """Return the name and what the drops depend on: the preset, or the start of the file's sha256."""
    if not is_trained(name):
        wetness, ambient = bench_of(name)
        return f"{OPTICS} {wetness}" + ("" if ambient is None else f" ambient {ambient:g}")
    return f"{generator_name(name)} sha256 {generator_sha256(name)[:12]}"


def generator_sha256(name: str) -> str:
    """Return the digest of a trained generator's file, in hex.

    Raises:
        ConfigError: if there is no such file.
    """
    check_generator(name)
    return hashlib.sha256(generator_file(name).read_bytes()).hexdigest()


def is_trained(name: str) -> bool:
    """Tell whether a name stands for a trained generator, not for optics."""
    return name.partition("@")[0].partition(":")[0] != OPTICS


def generator_file(name: str) -> Path:
    """Return the file of a trained generator's name."""
    return SHIPPED if name == GAN else Path(name)
