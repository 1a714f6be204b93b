"""Trained generators by eta, the classification loss that each was trained to aim at (Liu et al. 2023, Eq. 9)."""

from collections.abc import Iterable
from pathlib import Path

from natadv.errors import ConfigError
from natadv.papers.drops import OPTICS
from natadv.training.quasi_gan.checkpoint import load_generator


def by_eta(generators: Iterable[str]) -> dict[float, str]:
    """Return the files of generators by their etas, in order.

    Raises:
        ConfigError: if one is not trained, or two have one eta.
        DataError: if a file cannot be read.
    """
    found: dict[float, str] = {}
    for name in generators:
        if name == OPTICS:
            raise ConfigError(f"--generator {OPTICS}: has no eta; name trained quasi-GANs")
        eta = float(load_generator(Path(name)).recipe["eta"])
        if eta in found:
            raise ConfigError(f"--generator {name}: has the eta {eta:g} of {found[eta]}")
        found[eta] = name
    return dict(sorted(found.items()))
