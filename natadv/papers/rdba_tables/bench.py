"""Poisoned data and models trained on them, kept by what made them, so that a stopped table goes on where it was."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from natadv.backdoors.named import make_trigger
from natadv.backdoors.planted import plant, undo
from natadv.backdoors.poison import Poisoning
from natadv.backdoors.trigger import Trigger
from natadv.data.load import load_dataset
from natadv.data.origins import ORIGINS
from natadv.errors import ConfigError
from natadv.models.classifier import Classifier
from natadv.papers.number import setting
from natadv.training.checkpoint import load_classifier
from natadv.training.classifier import CHECKPOINT, Reporter, train_classifier
from natadv.training.pictures import Pictures, read_pictures
from natadv.training.progress import silent
from natadv.training.recipe import Recipe

Notice = Callable[[str], None]


@dataclass(frozen=True)
class Bench:
    """What a table's models are trained on, and how.

    Attributes:
        data: as `load_dataset` takes it.
        root: where named data sets lie unpacked.
        classes: these alone, the first the target; None for all.
        model: timm's name.
        size_px: side of all images.
        training: settings of `natadv.training.recipe.Recipe` but data, root, model and size.
        cache: folder of poisoned data and models.
        share: kappa, of the training images that are poisoned.
        seed: of the poisoning.
        device: where models are measured.
        reporter: shows how far a training is.
        notice: is told what begins.

    Raises:
        ConfigError: if the classes are not in the order of their names.
    """

    data: str
    root: Path
    classes: tuple[str, ...] | None
    model: str
    size_px: int
    training: Mapping[str, Any]
    cache: Path
    share: float
    seed: int
    device: torch.device
    reporter: Reporter = silent
    notice: Notice = lambda _line: None

    def __post_init__(self) -> None:
        if self.classes is not None and list(self.classes) != sorted(self.classes):
            raise ConfigError(
                f"classes {', '.join(self.classes)}: a folder has its classes in the order of their names, of which "
                f"the first is the target; name them so, {', '.join(sorted(self.classes))}"
            )

    def poisoning(self, trigger: Trigger, share: float | None = None) -> Poisoning:
        """Return what this bench does with a trigger; the first class is the target."""
        return Poisoning(trigger, 0, self.share if share is None else share, self.seed)

    def poisoned_folder(self, poisoning: Poisoning) -> Path:
        """Return the folder of the poisoned data; it is written where it is missing.

        Raises:
            ConfigError, DataError, ResourceError: as `natadv.backdoors.planted.plant`.
        """
        folder = self.cache / f"poisoned-{_digest(self._described(), poisoning.settings)}"
        if not folder.exists():
            self.notice(f"planting {poisoning.trigger.name}, share {poisoning.share:g}")
            plant(self.data, folder, lambda _: poisoning, size_px=self.size_px, classes=self.classes, root=self.root)
        return folder

    def clean_folder(self) -> Path:
        """Return the folder of the same images without poison: a poisoned one, undone.

        Raises:
            ConfigError, DataError, ResourceError: as `natadv.backdoors.planted.undo`.
        """
        folder = self._clean
        if not folder.exists():
            undo(self.poisoned_folder(self.poisoning(make_trigger("badnets"))), folder, root=self.root)
        return folder

    @property
    def older(self) -> str | None:
        """What to do about clean images that an older natadv keeps here, which do not say what they are of, if any."""
        if not self._clean.exists() or (self._clean / ORIGINS).is_file():
            return None
        return (
            f"{self._clean}: of an older natadv, which did not keep what images are of, so intervals are by image; "
            f"for intervals by kin delete clean-* and poisoned-* in {self.cache}: they are made again, models stay"
        )

    def trained(self, poisoning: Poisoning | None) -> Classifier:
        """Return a model trained on poisoned data, or on clean ones for None; it is trained where it is missing.

        Raises:
            ConfigError, DataError, DeviceError, ResourceError: as `natadv.training.classifier.train_classifier`.
        """
        data = self.clean_folder() if poisoning is None else self.poisoned_folder(poisoning)
        recipe = Recipe(**{**self.training, "data": str(data.resolve()), "model": self.model, "size_px": self.size_px})
        made_by = {name: value for name, value in recipe.model_dump(mode="json").items() if name not in _ELSEWHERE}
        out = self.cache / f"model-{self.model}-{_digest(data.name, made_by)}"
        if not (out / CHECKPOINT).exists():
            what = "clean" if poisoning is None else f"{poisoning.trigger.name}, share {poisoning.share:g}"
            self.notice(f"training {self.model}: {what}")
            train_classifier(recipe, out, resume=True, reporter=self.reporter)
        return load_classifier(out / CHECKPOINT).model.to(self.device)

    def test(self) -> Pictures:
        """Return the clean test images, of all classes in their order."""
        return self._part("test")

    def clean_training(self) -> Pictures:
        """Return the clean training images."""
        return self._part("train")

    def setting(self, **parts: object) -> str:
        """Return how a number of this bench was measured."""
        training = Recipe(data="", model=self.model, **self.training)
        train = load_dataset(self.clean_folder(), "train")
        return setting(
            data=f"{Path(self.data).name}, {len(train.labels)} classes",
            target=train.labels[0],
            training_images=len(train),
            model=self.model,
            size=f"{self.size_px} px",
            epochs=training.epochs,
            optimizer=f"{training.optimizer} {training.learning_rate:g}, batch {training.batch_size}",
            precision=None if training.precision == Recipe.model_fields["precision"].default else training.precision,
            **parts,
            seed=self.seed,
        )

    @property
    def _clean(self) -> Path:
        return self.cache / f"clean-{_digest(self._described())}"

    def _part(self, split: str) -> Pictures:
        return read_pictures(load_dataset(self.clean_folder(), split), (self.size_px, self.size_px))

    @cached_property
    def _files(self) -> str:
        """Digest of names and contents: a folder that another image came into is another one; times do not count."""
        folder, whole = Path(self.data), hashlib.sha256()
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            with path.open("rb") as file:
                whole.update(f"{path.relative_to(folder).as_posix()}\0".encode())
                whole.update(hashlib.file_digest(file, "sha256").digest())
        return whole.hexdigest()[:12]

    def _described(self) -> dict[str, Any]:
        folder = Path(self.data).resolve()
        return {
            "data": str(folder) if folder.is_dir() else self.data,
            "classes": self.classes,
            "size_px": self.size_px,
            **({"files": self._files} if folder.is_dir() else {"root": str(self.root.resolve())}),
        }


_ELSEWHERE = {*Recipe.machine, "data", "root"}


def _digest(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:12]
