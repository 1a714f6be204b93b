"""A calibration in a folder of its own, for any network and data: what was asked for, suspects' figures, thresholds."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
import yaml
from pydantic import Field

from natadv.backdoors.inspect.calibration.measured import Described
from natadv.backdoors.inspect.calibration.run import run_calibration
from natadv.backdoors.inspect.calibration.suspects import CLASSES, CLEAN_PER_CLASS, Training
from natadv.backdoors.inspect.thresholds import NAME, Thresholds
from natadv.data.load import load_dataset
from natadv.durable import replace_file
from natadv.errors import DataError
from natadv.models.classifier import DEFAULT_MODEL
from natadv.training.device import choose_device
from natadv.training.lineage import pictures_sha256
from natadv.training.pictures import Pictures, read_pictures
from natadv.training.resumable import ResumableRecipe
from natadv.training.run_folder import RECIPE, run_folder

SUSPECTS = "suspects.jsonl"


class CalibrationRecipe(ResumableRecipe):
    """What suspects are, and how many.

    Attributes:
        data: a dataset's name or a folder; `CLASSES` of its classes are drawn for each suspect.
        root: where named datasets lie unpacked.
        model: timm's name of the suspects' network.
        size_px: side of their pictures.
        epochs: passes over a suspect's data.
        learning_rate: AdamW's, at the peak of one cycle.
        tuning: suspects that thresholds are chosen by.
        spent: suspects after them that are passed over, as ones that were measured on before the inspection changed.
        measuring: suspects after those, which say how often a verdict is wrong.
        pictures: digest of all of them, so that a calibration does not go on with others.
        device: where to compute; `auto` takes CUDA where it is.
        threads: CPU threads of torch; None leaves it to torch.
    """

    machine = frozenset({"root", "tuning", "spent", "measuring", "device", "threads"})

    data: str
    root: str = "data"
    model: str = DEFAULT_MODEL
    size_px: int = Field(32, ge=16, le=2048)
    epochs: int = Field(12, ge=1)
    learning_rate: float = Field(6e-3, gt=0)
    tuning: int = Field(16, ge=4)
    spent: int = Field(0, ge=0)
    measuring: int = Field(20, ge=4)
    pictures: str = ""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = Field(None, ge=1)

    @property
    def numbers(self) -> tuple[range, range]:
        """Of the suspects to tune on, and of those to measure on."""
        first = self.tuning + self.spent
        return range(self.tuning), range(first, first + self.measuring)


def calibrate_into(
    recipe: CalibrationRecipe, out: Path, *, report: Callable[[Described], None] = lambda _line: None
) -> Thresholds:
    """Calibrate the inspection into a folder; begun before, it goes on with the suspects that are known.

    Args:
        recipe: all settings.
        out: new folder, or one of the same calibration; with more suspects than before, the known ones are kept.
        report: gets each suspect when it is done.

    Raises:
        ConfigError: if the folder was begun with other settings or pictures, or timm cannot build the model.
        DataError: if data are missing or torn, the two parts have other classes, or another run is at work there.
        DeviceError: if the device asked for is not there.
        ResourceError: if the disk is full.
    """
    device = torch.device(choose_device(recipe.device))
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    train, test, labels = _read(recipe)
    recipe = recipe.model_copy(update={"pictures": pictures_sha256(train, labels) + pictures_sha256(test, labels)})
    with run_folder(out):
        path = out / RECIPE
        if path.exists():
            recipe.check_continues(_kept(path), path)
        replace_file(path, recipe.yaml())
        tuning, measuring = recipe.numbers
        return run_calibration(
            train,
            test,
            out / SUSPECTS,
            out / NAME,
            tuning=tuning,
            measuring=measuring,
            classes=len(labels),
            training=Training(recipe.model, recipe.epochs, recipe.learning_rate),
            setting=_setting(recipe, train, len(labels)),
            device=device,
            report=report,
        )


def _read(recipe: CalibrationRecipe) -> tuple[Pictures, Pictures, tuple[str, ...]]:
    parts = [load_dataset(recipe.data, split, root=Path(recipe.root)) for split in ("train", "test")]
    if parts[0].labels != parts[1].labels:
        raise DataError(f"{recipe.data}: its training part and its test part have other classes")
    size = (recipe.size_px, recipe.size_px)
    return read_pictures(parts[0], size), read_pictures(parts[1], size), parts[0].labels


def _kept(path: Path) -> dict[str, object]:
    try:
        kept = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, ValueError) as error:
        raise DataError(f"{path}: damaged; calibrate into a new folder") from error
    if not isinstance(kept, dict):
        raise DataError(f"{path}: damaged; calibrate into a new folder")
    return kept


def _setting(recipe: CalibrationRecipe, train: Pictures, classes: int) -> str:
    of = f"{CLASSES} of {Path(recipe.data).name}'s" if classes > CLASSES else f"{Path(recipe.data).name}'s {classes}"
    per_class = round(len(train) / classes)
    return (
        f"{recipe.model} at {recipe.size_px} px, {of} classes, some {per_class} training pictures and "
        f"{CLEAN_PER_CLASS} clean ones a class, shares of 0.02 to 0.15; triggers rdba, badnets, blended, rendered"
    )
