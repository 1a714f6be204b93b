"""The file of a super-resolution network, alone or tuned as RAIN for a classifier, and of a run to resume."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from natadv.defenses.rain import Rain
from natadv.models.super_resolution.create import create_super_resolution
from natadv.training.checkpoint import unfinished_part
from natadv.training.sealed import read_sealed, write_sealed
from natadv.training.trained import Trained, fits_description, trained_content, trained_fields

FORMAT = "natadv-super-resolution/1"


@dataclass(frozen=True, slots=True)
class LoadedNetwork(Trained):
    """A super-resolution network as read from its file.

    Attributes:
        network: on the CPU, in eval mode.
        name: of its architecture.
    """

    network: nn.Module
    name: str

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
        **trained_content(recipe=recipe, metrics=metrics, provenance=provenance, training=training),
    }
    write_sealed(path, FORMAT, network.state_dict(), content)


def load_network(path: Path) -> LoadedNetwork:
    """Read a network back.

    Raises:
        DataError: if the file is missing, torn, altered, or no super-resolution network.
    """
    content, digest = read_sealed(path, FORMAT, "super-resolution network of natadv")
    with fits_description(path, "network"):
        network = create_super_resolution(content["name"])
        network.load_state_dict(content["weights"])
        loaded = LoadedNetwork(network=network.eval(), name=content["name"], **trained_fields(content, digest))
        # Asked for here, where a newer version's order or an altered state is told of in one line.
        loaded.rain()
        _ = loaded.unfinished
        return loaded
