"""What a robustness run does: models by name, the images, the attacks. Plain values, so processes can be given it."""

from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from natadv.attacks.suite import Setting, check_queries, setting
from natadv.data.draw import draw
from natadv.data.load import load_test
from natadv.errors import ConfigError
from natadv.evaluation.record_cache import RecordCache
from natadv.evaluation.robustness import adaptive, attack_cache
from natadv.training.defenses import NONE, OpenedDefense, open_defense
from natadv.training.trial import Trial, try_model
from natadv.training.victim import open_victim

CACHE = "cache"


@dataclass(frozen=True)
class RobustnessPlan:
    """What was asked for.

    Attributes:
        model: a checkpoint, an ONNX file, or a name of timm's.
        data: a test set, a name or a folder.
        root: where named datasets lie unpacked.
        labels: names of NIPS-2017's classes, or None.
        defenses: as `natadv.training.defenses` reads them; no defence at all comes first.
        attacks: names of the suite.
        count: so many images, drawn by seed; None for all.
        size_px: side to attack at; None for the model's.
        samples: passes that an adaptive attack averages.
        adaptive: whether gradient attacks on randomised defences are also run in their adaptive form.
        queries: an image's limit in attacks that have one; None for each one's own.
        repeats: runs of each attack, with other chance.
        seed: of all chance.
        batch_size: images at once.
        out: folder of the report and the cache.
    """

    model: str
    data: str
    root: Path
    labels: Path | None
    defenses: tuple[str, ...]
    attacks: tuple[str, ...]
    count: int | None
    size_px: int | None
    samples: int
    adaptive: bool
    queries: int | None
    repeats: int
    seed: int
    batch_size: int
    out: Path

    def check(self) -> None:
        """Refuse names that nothing answers to, before anything is computed.

        Raises:
            ConfigError: if there is no such attack or defence, one is named twice, or none has the limit given.
            DataError: if a defence's file is missing or damaged.
        """
        for name in self.attacks:
            setting(name)
        check_queries(self.queries, self.attacks)
        for spec in self.defenses:
            open_defense(spec)
        for what, given in (("attack", self.attacks), ("defence", self.defenses)):
            twice = next((name for name in given if given.count(name) > 1), None)
            if twice is not None:
                raise ConfigError(f"{what} {twice}: named twice")

    def opened(self) -> list[OpenedDefense]:
        """Return no defence, and those asked for."""
        return [open_defense(spec) for spec in (NONE, *(spec for spec in self.defenses if spec != NONE))]

    def trial(self, device: str) -> Trial:
        """Return the images that the bare model gets right, on a device."""
        drawn = draw(load_test(self.data, self.root, self.labels), count=self.count, seed=self.seed)
        size = None if self.size_px is None else (self.size_px, self.size_px)
        return try_model(open_victim(self.model, device), drawn, size=size, device=device)

    def settings(self, model: nn.Module) -> list[Setting]:
        """Return the attacks on a model, adaptive ones among them where it is randomised."""
        asked = [setting(name).within(self.queries) for name in self.attacks]
        if not getattr(model, "randomised", False):
            # Without chance in the model, an average over passes that are all alike is the plain attack.
            return [replace(one, samples=0) for one in asked]
        return adaptive(asked, model, self.samples) if self.adaptive else asked

    def cache(self, trial: Trial, defense: OpenedDefense, attack: Setting, repeat: int) -> RecordCache:
        """Open the records of one attack on one defended model."""
        return attack_cache(
            self.out / CACHE,
            trial.victim.described,
            defense.described,
            attack,
            size=trial.size,
            seed=self.seed + repeat,
            batch_size=self.batch_size,
            device=trial.images.device.type,
        )
