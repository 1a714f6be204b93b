"""Generators by name: `optics`, `optics:PRESET`, or the file of a trained one."""

from pathlib import Path

from torch import nn

from natadv.errors import ConfigError
from natadv.models.optics_generator import OpticsGenerator
from natadv.raindrops.presets import PRESETS
from natadv.training.quasi_gan.checkpoint import load_generator


def open_generator(name: str, size: tuple[int, int]) -> tuple[nn.Module, str]:
    """Return a generator for pictures of a size, frozen and in eval mode, and a name that tells its weights too.

    Args:
        name: `optics` (medium wet), `optics:` with a preset of `natadv.raindrops.presets`, or a file.
        size: height and width of the pictures, px.

    Raises:
        ConfigError: if there is no such preset or file.
        DataError: if the file is torn or no generator.
    """
    kind, _, wetness = name.partition(":")
    if kind == "optics":
        wetness = wetness or "medium"
        if wetness not in PRESETS:
            raise ConfigError(f"generator {name}: no preset {wetness!r}; there are {', '.join(PRESETS)}")
        return OpticsGenerator(size, wetness).eval(), f"optics:{wetness}"
    path = Path(name)
    if not path.is_file():
        raise ConfigError(f"generator {name}: neither `optics`, `optics:PRESET` nor a file")
    loaded = load_generator(path)
    return loaded.generator.requires_grad_(False), f"{path.name} sha256 {loaded.digest[:12]}"
