"""Trained generators by eta, the classification loss that each was trained to aim at (Liu et al. 2023, Eq. 9)."""

from collections.abc import Iterable

from natadv.errors import ConfigError
from natadv.training.generators import generator_file, is_trained
from natadv.training.quasi_gan.checkpoint import load_generator


def by_eta(generators: Iterable[str]) -> dict[float, str]:
    """Return the files of generators by their etas, in order.

    Raises:
        ConfigError: if one is not trained, or two have one eta.
        DataError: if a file cannot be read.
    """
    found: dict[float, str] = {}
    for name in generators:
        if not is_trained(name):
            raise ConfigError(f"--generator {name}: has no eta; name trained quasi-GANs")
        eta = float(load_generator(generator_file(name)).recipe["eta"])
        if eta in found:
            raise ConfigError(f"--generator {name}: has the eta {eta:g} of {found[eta]}")
        found[eta] = name
    return dict(sorted(found.items()))
