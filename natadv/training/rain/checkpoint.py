"""The file of a super-resolution network, alone or tuned as RAIN for a classifier, and of a run to resume."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from natadv.defenses.rain import Rain
from natadv.errors import ConfigError, DataError
from natadv.models.super_resolution.create import create_super_resolution
from natadv.training.checkpoint import unfinished_part
from natadv.training.sealed import read_sealed, write_sealed

FORMAT = "natadv-super-resolution/1"


@dataclass(frozen=True, slots=True)
class LoadedNetwork:
    """A super-resolution network as read from its file.

    Attributes:
        network: on the CPU, in eval mode.
        name: of its architecture.
        recipe: the settings of the run that made it.
        metrics: what was measured last.
        provenance: of the data, and of the classifier that it was tuned for.
        digest: sha256 of the file, in hex.
        training: state to resume from; None in a finished file.
    """

    network: nn.Module
    name: str
    recipe: dict[str, Any]
    metrics: dict[str, Any]
    provenance: dict[str, Any]
    digest: str
    training: dict[str, Any] | None

    def rain(self, **changed: Any) -> Rain:
        """Return RAIN with this network, and the shift and order that it was tuned with but for what is `changed`."""
        settings = {name: self.recipe[name] for name in ("share", "order", "per_channel") if name in self.recipe}
        return Rain(self.network, **settings | changed)

    @property
    def unfinished(self) -> tuple[int, int] | None:
        """Steps done and asked for, of a training in its middle; None where it came to its end."""
        return unfinished_part(self.training, self.recipe, "step")


def save_network(
    path: Path,
    network: nn.Module,
    *,
    name: str,
    recipe: Mapping[str, Any],
    metrics: Mapping[str, Any],
    provenance: Mapping[str, Any],
    training: Mapping[str, Any] | None = None,
) -> None:
    """Write a network; the file appears under its name only when it is whole.

    Raises:
        ResourceError: if the disk is full.
        DataError: if the file system refuses for another reason.
    """
    content = {
        "name": name,
        "recipe": dict(recipe),
        "metrics": dict(metrics),
        "provenance": dict(provenance),
        "training": None if training is None else dict(training),
    }
    write_sealed(path, FORMAT, network.state_dict(), content)


def load_network(path: Path) -> LoadedNetwork:
    """Read a network back.

    Raises:
        DataError: if the file is missing, torn, altered, or no super-resolution network.
    """
    content, digest = read_sealed(path, FORMAT, "super-resolution network of natadv")
    try:
        network = create_super_resolution(content["name"])
        network.load_state_dict(content["weights"])
        return LoadedNetwork(
            network=network.eval(),
            name=content["name"],
            recipe=dict(content["recipe"]),
            metrics=dict(content["metrics"]),
            provenance=dict(content["provenance"]),
            digest=digest,
            training=content["training"],
        )
    except (KeyError, TypeError, ValueError, RuntimeError, ConfigError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path}: the network does not fit its own description ({reason})") from error
