"""Request: what was asked of a table or figure, and what it finds missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from natadv.data.dataset import Dataset
from natadv.data.draw import Drawn, draw
from natadv.data.kin import counted_by
from natadv.errors import ConfigError
from natadv.papers.drops import Box, DropAttack
from natadv.papers.number import setting
from natadv.training.trial import Trial, try_model
from natadv.training.victim import Victim, open_victim

Given = TypeVar("Given")


@dataclass(frozen=True)
class Request:
    """What the tables of a paper are run on; each takes what it needs.

    Attributes:
        data: a test set.
        count: so many of its images, drawn by seed; all where it is None.
        models: files or names of the models to attack.
        surrogate: the one that conventional attacks are crafted on in a black box.
        hardened: a model to compare the first of `models` with.
        sessions: folders of recorded sessions, by the name of their data.
        scans: the first digits of the digests of the models that sessions were scanned with.
        size_px: side of the images; each model's, or generator's, own where it is None.
        drops: the raindrops, of the first of `generators`.
        generators: what makes raindrops: `optics`, or checkpoints of quasi-GANs.
        box: how drops attack where the paper does not say.
        seed: of all chance but the codes of drops.
        batch_size: images at once.
        device: where to compute.
        pairs: folder of real photographs without and with raindrops.
        extractor: an ONNX classifier whose features tell raindrops apart.
        crops: cut from each pair.
        splits: random halvings of the crops.
    """

    data: Dataset | None
    count: int | None
    models: tuple[str, ...]
    surrogate: str | None
    hardened: str | None
    sessions: Mapping[str, Path]
    scans: tuple[str, ...]
    size_px: int | None
    drops: DropAttack
    generators: tuple[str, ...]
    box: Box
    seed: int
    batch_size: int
    device: str
    pairs: Path | None = None
    extractor: Path | None = None
    crops: int = 8
    splits: int = 10

    def with_generators(self, generators: Iterable[str]) -> "Request":
        """Return the same request of other generators."""
        names = tuple(generators)
        return replace(self, generators=names, drops=replace(self.drops, generator=names[0]))

    def drawn(self) -> Drawn:
        """Return the images asked for; ConfigError without data."""
        return draw(required(self.data, "--data"), count=self.count, seed=self.seed)

    def victims(self) -> list[Victim]:
        """Return the models asked for, opened; ConfigError if there are none."""
        return [open_victim(spec, self.device) for spec in required(self.models, "--model")]

    def trial(self, victim: Victim, drawn: Drawn | None = None) -> Trial:
        """Return the images that a model gets right of those drawn, or of those asked for."""
        size = None if self.size_px is None else (self.size_px, self.size_px)
        images = self.drawn() if drawn is None else drawn
        return try_model(victim, images, size=size, device=self.device, batch_size=self.batch_size)

    def setting(self, trial: Trial, **parts: object) -> str:
        """Return a number's setting: the trial's parts and those given."""
        height, width = trial.size
        about = {
            "data": trial.data,
            "model": trial.victim.described,
            "size": f"{width}x{height} px",
            "clean": f"{trial.clean.hits} of {trial.clean.total} right",
            "interval": counted_by(trial.kin),
        }
        return setting(**about | parts, seed=self.seed)


def required(value: Given | None, option: str) -> Given:
    """Return an option's value; ConfigError where it was left out."""
    if not value:
        raise ConfigError(f"this needs {option}")
    return value
