"""Detectors of a bank, kept by what made them, so that a stopped study goes on where it was."""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from natadv.detection.banked import BankPapers, Family, read_bank
from natadv.detection.checkpoint import LoadedDetector, load_detector
from natadv.detection.networks import NAMES, ONNX
from natadv.detection.recipe import DetectorRecipe
from natadv.detection.run import DETECTOR
from natadv.detection.scoring import logits_of
from natadv.detection.shown import Shown, adversarial_kinds, bank_digest, read_shown
from natadv.detection.train import Reporter, train_detector
from natadv.detection.trial import Attack, attack_detector
from natadv.durable import replace_file
from natadv.errors import ConfigError, DataError
from natadv.evaluation.rates import KinRate, Rate
from natadv.evaluation.roc import Scores
from natadv.papers.number import setting
from natadv.source_digest import source_digest
from natadv.training.progress import silent

Notice = Callable[[str], None]
_ELSEWHERE = {*DetectorRecipe.machine, "bank", "weights"}
_ADAPTIVE, _SCORES = "adaptive", "scores.npz"


@dataclass(frozen=True)
class Backbone:
    """A network to make detectors of.

    Attributes:
        name: by which its numbers stand beside the paper's.
        weights: pretrained ones; of any name, an ONNX classifier.
        epochs: passes over the training images; None: as many as the bench's others.
    """

    name: str
    weights: Path | None = None
    epochs: int | None = None

    @classmethod
    def of(cls, given: str) -> "Backbone":
        """Read NAME[=FILE][@EPOCHS].

        Raises:
            ConfigError: if the file is missing, the epochs are no number, or there is no such network.
        """
        rest, at, epochs = given.partition("@")
        name, sign, file = rest.partition("=")
        if at and not (epochs.isdecimal() and int(epochs)):
            raise ConfigError(f"--backbone {given}: expected a number of epochs after @")
        if sign and not Path(file).is_file():
            raise ConfigError(f"--backbone {given}: there is no file {file!r}")
        found = cls(name, Path(file) if sign else None, int(epochs) if at else None)
        if found.settings["backbone"] not in NAMES or (name == ONNX and not sign):
            raise ConfigError(f"--backbone {given}: expected {', '.join(NAMES[:-1])}, or a name for an ONNX file")
        return found

    @property
    def settings(self) -> dict[str, Any]:
        """What a recipe says of it."""
        onnx = self.weights is not None and self.weights.suffix == ".onnx"
        found: dict[str, Any] = {"backbone": ONNX if onnx else self.name}
        if self.weights is not None:
            found["weights"] = str(self.weights)
        return found if self.epochs is None else found | {"epochs": self.epochs}

    @property
    def described(self) -> str:
        """It in a number's setting."""
        return self.name if self.weights is None else f"{self.name} of {self.weights.name}"


@dataclass(frozen=True)
class Taught:
    """What a detector is trained on.

    Attributes:
        name: of the row that its numbers stand in.
        kinds: to learn.
        n_plus_one: each as a class of its own.
    """

    name: str
    kinds: tuple[str, ...]
    n_plus_one: bool = False


@dataclass(frozen=True)
class Bench:
    """A bank, how detectors are trained on it, and what attacks them.

    Attributes:
        bank: folder of the bank.
        training: settings of `DetectorRecipe` but bank, kinds, backbone and weights.
        cache: folder of detectors, and of what attacks on them came to.
        attack: one who knows the detector too; None: nobody attacks.
        targets: detectors that are attacked, as "BACKBONE: WHAT IT LEARNT"; all where none is named.
        device: where detectors are measured.
        reporter: shows how far a training is.
        notice: is told what begins.
    """

    bank: Path
    training: Mapping[str, Any]
    cache: Path
    attack: Attack | None = None
    targets: tuple[str, ...] = ()
    device: str = "cpu"
    reporter: Reporter = silent
    notice: Notice = lambda _line: None

    @cached_property
    def papers(self) -> BankPapers:
        """Papers of the bank."""
        return read_bank(self.bank)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """All adversarial kinds of the bank, category by category, in its order."""
        there = adversarial_kinds(self.papers)
        families: tuple[Family, ...] = ("artificial", "semantic", "natural")
        return tuple(kind for family in families for kind in there if self.papers.kinds[kind].family == family)

    @cached_property
    def test(self) -> Shown:
        """The test part."""
        return read_shown(self.bank, self.papers, "test", self.kinds)

    @property
    def seed(self) -> int:
        """Of the training, the attack and the bootstrap."""
        return int(self.training.get("seed", 0))

    def of_family(self, family: Family) -> tuple[str, ...]:
        """Return the kinds of a category."""
        return tuple(kind for kind in self.kinds if self.papers.kinds[kind].family == family)

    def trained(self, backbone: Backbone, taught: Taught) -> LoadedDetector:
        """Return a detector on `device`; it is trained where it is missing.

        Raises:
            ConfigError, DataError, DeviceError, ResourceError: as `natadv.detection.train.train_detector`.
        """
        out = self._folder(backbone, taught)
        if not (out / DETECTOR).exists():
            self.notice(f"training {backbone.name}: {taught.name}")
            train_detector(self._recipe(backbone, taught), out, resume=True, reporter=self.reporter)
        loaded = load_detector(out / DETECTOR)
        loaded.model.to(self.device)
        return loaded

    def scores(self, backbone: Backbone, taught: Taught) -> Mapping[str, Scores]:
        """Return a detector's logits of the test images by kind, 0 where P was 1/2 before the threshold moved it.

        Raises:
            ConfigError, DataError, DeviceError, ResourceError: as `trained`, or if what was kept is damaged.
        """
        path = self._folder(backbone, taught) / _SCORES
        if not path.exists():
            model = self.trained(backbone, taught).model
            found = {
                kind: logits_of(model, self.test.of(kind).images) + model.offset.cpu() for kind in self.papers.kinds
            }
            written = io.BytesIO()
            np.savez(written, **{kind: logits.double().numpy() for kind, logits in found.items()})  # type: ignore[arg-type]
            replace_file(path, written.getvalue())
        try:
            with np.load(path, allow_pickle=False) as kept:
                return {kind: kept[kind] for kind in self.papers.kinds}
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise DataError(f"{path}: damaged; delete it, and the images are scored again") from error

    def attacked(self, backbone: Backbone, taught: Taught) -> Rate | None:
        """Return how many clean test images fool the classifier and this detector together; None: nobody attacks it.

        Raises:
            ConfigError: if the classifier does not fit the bank.
            DataError: if it cannot be read, or what was kept is damaged.
        """
        if self.attack is None or (self.targets and f"{backbone.name}: {taught.name}" not in self.targets):
            return None
        loaded = self.trained(backbone, taught)
        plain = {name: getattr(self.attack, name) for name in ("count", "epsilon", "steps")}
        victim = hashlib.sha256(self.attack.model.read_bytes()).hexdigest()
        code = source_digest("natadv.attacks.undetected")
        path = (
            self._folder(backbone, taught)
            / f"{_ADAPTIVE}-{_digest(loaded.digest, plain, victim, self.seed, code)}.json"
        )
        if not path.exists():
            self.notice(f"attacking {backbone.name}: {taught.name}")
            found = attack_detector(loaded, self.bank, self.papers, self.attack, seed=self.seed, device=self.device)
            kept = {"hits": found.adaptive.hits, "total": found.adaptive.total, "ends": found.adaptive.interval}
            replace_file(path, (json.dumps(kept) + "\n").encode())
        try:
            plain = json.loads(path.read_bytes())
            low, high = plain["ends"]
            return KinRate(plain["hits"], plain["total"], (low, high))
        except (OSError, TypeError, ValueError, KeyError) as error:
            raise DataError(f"{path}: damaged; delete it, and the attack is made again") from error

    def setting(self, backbone: Backbone, **more: object) -> str:
        """Return how this bench's numbers of a backbone were measured."""
        recipe = self._recipe(backbone, Taught("", ()))
        return setting(
            data=f"{Path(self.papers.data).name}, bank of {len(self.papers.images)} images, half to learn",
            size=f"{self.papers.size_px} px",
            backbone=backbone.described,
            epochs=recipe.epochs,
            Adam=f"{recipe.rate:g}, batch {recipe.batch_size}",
            **more,
            seed=recipe.seed,
        )

    def attack_setting(self, backbone: Backbone) -> str:
        """Return how the attack was made.

        Raises:
            ValueError: if nobody attacks.
        """
        if self.attack is None:
            raise ValueError("expected an attack, got none")
        asked = self._recipe(backbone, Taught("", ())).false_alarms
        return self.setting(
            backbone,
            adaptive=f"PGD on classifier and detector, l_inf {255 * self.attack.epsilon:g}/255, {self.attack.steps}"
            f" steps a way, from a random point and from the image, on clean images that the classifier gets right;"
            f" threshold for {100 * asked:g} % of alarms",
        )

    def _recipe(self, backbone: Backbone, taught: Taught) -> DetectorRecipe:
        what = {"bank": str(self.bank), "kinds": taught.kinds, "n_plus_one": taught.n_plus_one}
        return DetectorRecipe(**{**self.training, **backbone.settings, **what})

    def _folder(self, backbone: Backbone, taught: Taught) -> Path:
        recipe = self._recipe(backbone, taught).model_dump(mode="json")
        made_by = {name: value for name, value in recipe.items() if name not in _ELSEWHERE}
        file = None if backbone.weights is None else hashlib.sha256(backbone.weights.read_bytes()).hexdigest()
        code = source_digest("natadv.detection.train")
        return self.cache / f"{backbone.name}-{_digest(self._bank_digest, made_by, file, code)}"

    @cached_property
    def _bank_digest(self) -> str:
        return bank_digest(self.bank)


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
