"""What a training run works on: the pictures, and the model it starts from."""

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from natadv.data.dataset import SPLITS, Dataset
from natadv.data.load import load_dataset
from natadv.errors import ConfigError, DataError
from natadv.models.classifier import Classifier, create_classifier
from natadv.models.seeded import seeded
from natadv.raindrops.photograph import RandomGlass
from natadv.raindrops.presets import PRESETS
from natadv.training.adversarial import Adversary
from natadv.training.checkpoint import LoadedClassifier, load_classifier
from natadv.training.generators import open_generator
from natadv.training.hits import load_hits, provenance_digest
from natadv.training.lineage import LINEAGE, begin_lineage, learnt_from, plain_lineage
from natadv.training.pictures import Pictures, read_pictures
from natadv.training.pixel_adversary import PixelAdversary
from natadv.training.recipe import Recipe
from natadv.training.versions import package_versions
from natadv.training.views import Glass, Views

MATERIALS = ("train_images", "test_images", "hits", "init_sha256", "generators")
"""What of the provenance makes the result: it must be the same when a run is resumed."""

PLATES = 48
_PLATES_STREAM = 3  # of chance, beside those of `views`


@dataclass(frozen=True)
class Materials:
    """All that a run needs but the state of training itself.

    Attributes:
        model: with the weights to start from, on the CPU.
        views: the training pictures and how they are shown.
        adversary: attacks some of them while it trains; None in standard training.
        test: the pictures to measure on.
        provenance: versions, names and counts, as plain values.
    """

    model: Classifier
    views: Views
    adversary: Adversary | PixelAdversary | None
    test: Pictures
    provenance: dict[str, Any]


def gather(recipe: Recipe) -> Materials:
    """Read the data and build the model of a recipe.

    Raises:
        ConfigError: if data, model, or the checkpoint to start from do not fit each other.
        DataError: if data or the checkpoint are missing or torn.
    """
    return materials_of(recipe, *(load_dataset(recipe.data, split, root=Path(recipe.root)) for split in SPLITS))


def materials_of(recipe: Recipe, train: Dataset, test: Dataset) -> Materials:
    """Read these data, whatever the recipe's name of them stands for, and build its model.

    Raises:
        ConfigError, DataError: as `gather`; DataError also for data of one label.
    """
    if len(train.labels) < 2:
        raise DataError(
            f"{recipe.data}: only one label, {train.labels[0]!r}, and nothing to tell it from; expected"
            " train/LABEL/* and test/LABEL/*, or LABEL/*, of two labels or more"
        )
    initial = load_classifier(Path(recipe.init)) if recipe.init else None
    model = _model(recipe, train.labels, initial)
    hits = [load_hits(Path(folder), train.labels) for folder in recipe.hits]
    clean = read_pictures(train, model.input_size)
    lineage = begin_lineage(
        learnt_from(recipe.data, clean, train.labels),
        initial,
        Path(recipe.init) if recipe.init else None,
        pretrained=recipe.pretrained and initial is None,
    )
    views = Views(
        clean=clean,
        hits=_joined(hits, model.input_size),
        hit_share=recipe.hit_share,
        raindrops=recipe.raindrops,
        glass=_glass(recipe, model.input_size),
        batch_size=recipe.batch_size,
        seed=recipe.seed,
    )
    adversary, generators = _adversary(recipe, model.input_size)
    return Materials(
        model=model,
        views=views,
        adversary=adversary,
        test=read_pictures(test, model.input_size),
        provenance={
            "data": train.name,
            "train_images": len(train),
            "test_images": len(test),
            "hits": [
                {"folder": folder, "images": len(hit), "provenance_sha256": provenance_digest(Path(folder))}
                for folder, hit in zip(recipe.hits, hits, strict=True)
            ],
            "init_sha256": initial.digest if initial else None,
            "ancestors": [initial.digest, *initial.ancestors] if initial else [],
            "generators": generators,
            LINEAGE: plain_lineage(lineage),
            "versions": {"python": platform.python_version()} | package_versions(),
        },
    )


def _model(recipe: Recipe, labels: tuple[str, ...], initial: LoadedClassifier | None) -> Classifier:
    size = (recipe.size_px, recipe.size_px)
    if initial is None:
        with seeded(recipe.seed):
            return create_classifier(recipe.model, labels, size, pretrained=recipe.pretrained)
    if initial.labels != labels:
        raise ConfigError(f"{recipe.init}: {_difference(initial.labels, labels)}; it cannot start this training")
    for name, asked, found in (("model", recipe.model, initial.model_name), ("size", size, initial.input_size)):
        if asked != found:
            raise ConfigError(f"{recipe.init}: its {name} is {found}, not {asked}; leave that option out")
    return initial.model


def _difference(found: tuple[str, ...], wanted: tuple[str, ...]) -> str:
    """Say in one line how two sets of labels differ."""
    missing = sorted(set(wanted) - set(found))
    unknown = sorted(set(found) - set(wanted))
    if missing:
        return f"has no label {missing[0]!r}, which the data have ({len(found)} labels against {len(wanted)})"
    if unknown:
        return f"has the label {unknown[0]!r}, which the data lack ({len(found)} labels against {len(wanted)})"
    return "has the data's labels in another order"


def _joined(hits: list[Dataset], size: tuple[int, int]) -> Pictures:
    read = [read_pictures(hit, size) for hit in hits]
    images = [np.zeros((0, *size, 3), np.uint8), *(pictures.images for pictures in read)]
    targets = [np.zeros(0, np.int64), *(pictures.targets for pictures in read)]
    return Pictures(np.concatenate(images), np.concatenate(targets))


def _glass(recipe: Recipe, size: tuple[int, int]) -> Glass | None:
    if recipe.raindrops == 0:
        return None
    rng = np.random.default_rng([recipe.seed, _PLATES_STREAM])
    return RandomGlass(size, rng, plates=PLATES, wetness=[PRESETS[name] for name in recipe.wetness])


def _adversary(recipe: Recipe, size: tuple[int, int]) -> tuple[Adversary | PixelAdversary | None, list[str]]:
    """Return what attacks the training pictures, and a name for each generator that changes with its weights."""
    if recipe.pgd:
        return PixelAdversary(recipe.epsilon / 255, recipe.pgd_steps, recipe.pgd), []
    if recipe.advrd == 0:
        return None, []
    opened = [open_generator(name, size) for name in recipe.generators]
    adversary = Adversary(
        [drops.generator for drops in opened],
        share=recipe.advrd,
        restarts=recipe.restarts,
        steps=recipe.attack_steps,
        step_size=recipe.attack_step_size,
    )
    return adversary, [drops.described for drops in opened]
