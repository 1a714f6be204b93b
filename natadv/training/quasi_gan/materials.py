"""What a quasi-GAN is trained on: photographs, real pairs, the transfer classifier and its pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from natadv.batches import to_batch
from natadv.data.crops import Crops, fixed_crops
from natadv.data.load import load_dataset
from natadv.data.pair import Pair, Sides
from natadv.data.pair_split import split_by_photograph
from natadv.data.pairs import load_pairs
from natadv.data.photographs import KeptPhotographs, find_photographs
from natadv.data.rendered import RenderedPairs
from natadv.errors import ConfigError, DataError
from natadv.models.classifier import Classifier
from natadv.models.generator import Generator
from natadv.raindrops.panes import PANES, VIEW_MM
from natadv.training.checkpoint import load_classifier
from natadv.training.pictures import Pictures, read_pictures
from natadv.training.quasi_gan.checkpoint import LoadedGenerator, load_generator
from natadv.training.quasi_gan.feed import Feed
from natadv.training.quasi_gan.recipe import QuasiGanRecipe

_PAIRS, _CODES = 31, 32  # streams of chance
_SHOWN = 8
_LEAST_PHOTOGRAPHS = 4  # that RFID can split
_TURNS = ("clear", "blurred", "discs", "crowded", "blurred", "large", "discs", "blurred")
"""Panes that plates take in turn: most real photographs have their drops out of focus."""

_CROPS_EACH = 8  # crops a real pair for the RFID that is logged; tables take more


@dataclass(frozen=True)
class Materials:
    """All that a run needs but its own state.

    Attributes:
        feed: what each step sees.
        classifier: the transfer classifier C.
        initial: the run to fine-tune; None to begin anew.
        shown: pairs for the sample grids; real ones, held back from training, where there are any.
        rfid: measures a generator on the real pairs held back; None without pairs or extractor.
        provenance: names, counts and digests, as plain values.
    """

    feed: Feed
    classifier: Classifier
    initial: LoadedGenerator | None
    shown: Crops
    rfid: Callable[[Generator], float] | None
    provenance: dict[str, Any]


def held_back(folder: Path, recipe_seed: int, share: float) -> tuple[list[Pair], list[Pair]]:
    """Return the real pairs that train, and those held back for RFID; no photograph is in both.

    Raises:
        DataError: if the pairs cannot be read or show fewer than two photographs.
    """
    pairs = load_pairs(folder)
    if len({pair.photograph for pair in pairs}) < 2:
        raise DataError(
            f"{folder}: pairs of one photograph; half of the photographs are held back, so give two or more"
        )
    return split_by_photograph(pairs, np.random.default_rng([recipe_seed, _PAIRS]), share)


def _large_enough(pair: Pair, size_px: int) -> Sides:
    sides = pair.read()
    if min(sides.clean.shape[:2]) < size_px:
        raise DataError(
            f"{pair.rain}: smaller than the {size_px} px of a crop; leave the pair out or take a smaller --size"
        )
    return sides


def gather(recipe: QuasiGanRecipe) -> Materials:
    """Read what a recipe names.

    Raises:
        ConfigError: if classifier and data do not fit each other.
        DataError: if data or the checkpoint are missing or torn.
    """
    size = (recipe.size_px, recipe.size_px)
    initial = _initial(recipe)
    photographs = KeptPhotographs(find_photographs(Path(recipe.photographs)))
    rendered = RenderedPairs(
        photographs, size, seed=recipe.seed, wetness=[PANES[name] for name in _TURNS], picture_mm=VIEW_MM, outdoors=True
    )
    if recipe.extractor and not recipe.pairs:
        raise ConfigError("--extractor: measures RFID on real pairs; name them by --pairs")
    train, held = held_back(Path(recipe.pairs), recipe.seed, recipe.pairs_share) if recipe.pairs else ([], [])
    trained = {pair.key for pair in train} | set(initial.provenance.get("real_pairs", ()) if initial else ())
    if seen := trained & {pair.key for pair in held}:
        raise ConfigError(
            f"--init {recipe.init}: was trained on {min(seen)}, held back now; keep its --seed and --pairs"
        )
    real = tuple(_large_enough(pair, recipe.size_px) for pair in train)
    loaded = load_classifier(Path(recipe.classifier))
    if loaded.input_size != size:
        shown = f"{loaded.input_size[1]}x{loaded.input_size[0]}"
        raise ConfigError(f"--size {recipe.size_px}: {recipe.classifier} takes {shown} px; train both at one size")
    dataset = load_dataset(recipe.data, "train", root=Path(recipe.root))
    if dataset.labels != loaded.labels:
        raise ConfigError(f"{recipe.classifier}: its labels are not those of {recipe.data}; train one on these data")
    pictures = _right(loaded.model, read_pictures(dataset, size))
    for pair in held:
        _large_enough(pair, recipe.size_px)
    crops = fixed_crops(held, size, each=_CROPS_EACH, seed=recipe.seed) if held else None
    shown = len({pair.photograph for pair in held})
    if recipe.extractor and shown < _LEAST_PHOTOGRAPHS:
        raise ConfigError(f"--pairs {recipe.pairs}: holds {shown} photographs back; RFID needs {_LEAST_PHOTOGRAPHS}")
    feed = Feed(
        rendered=rendered,
        real=real,
        pictures=pictures,
        batch_size=recipe.batch_size,
        real_count=round(recipe.real_share * recipe.batch_size),
        seed=recipe.seed,
    )
    return Materials(
        feed=feed,
        classifier=loaded.model,
        initial=initial,
        shown=_shown(crops, rendered),
        rfid=_measure(crops, recipe) if crops is not None and recipe.extractor else None,
        provenance={
            "photographs": len(photographs),
            "real_pairs": sorted(trained),
            "held_back_pairs": [pair.key for pair in held],
            "classifier_sha256": loaded.digest,
            "init_sha256": initial.digest if initial else None,
            "pictures": len(pictures),
        },
    )


def _initial(recipe: QuasiGanRecipe) -> LoadedGenerator | None:
    """Return the run to fine-tune, if it fits."""
    if recipe.init is None:
        return None
    loaded = load_generator(Path(recipe.init))
    if loaded.training is None:
        raise ConfigError(f"--init {recipe.init}: holds the generator alone; name the last.pt beside it")
    for option, asked, found in (
        ("--literal" if recipe.kind == "literal" else "no --literal", recipe.kind, loaded.kind),
        (f"--width {recipe.width}", recipe.width, loaded.generator.width),
    ):
        if asked != found:
            raise ConfigError(f"{option}: {recipe.init} holds a run with {found}; fine-tune it as what it is")
    return loaded


@torch.inference_mode()
def _right(model: Classifier, pictures: Pictures) -> Pictures:
    """Return the pictures that the classifier gets right, as Eq. 2 asks."""
    found = [model(to_batch(images, torch.device("cpu"))).argmax(1).numpy() for images, _ in pictures.batches(256)]
    right = np.concatenate(found) == pictures.targets
    if not right.any():
        raise ConfigError("the classifier gets none of the pictures right; train a better one")
    return pictures.subset(np.flatnonzero(right))


def _shown(crops: Crops | None, rendered: RenderedPairs) -> Crops:
    if crops is not None:
        chosen = np.linspace(0, len(crops) - 1, _SHOWN).round().astype(int)
        return Crops(crops.clean[chosen], crops.rain[chosen], tuple(crops.photographs[i] for i in chosen))
    sides: list[Sides] = [rendered[index] for index in range(_SHOWN)]
    return Crops(np.stack([s.clean for s in sides]), np.stack([s.rain for s in sides]), ("",) * _SHOWN)


def _measure(crops: Crops, recipe: QuasiGanRecipe) -> Callable[[Generator], float]:
    # Training without an extractor needs no ONNX.
    from natadv.evaluation.rfid import rfid  # noqa: PLC0415
    from natadv.evaluation.rfid_controls import natural  # noqa: PLC0415
    from natadv.models.features import onnx_features  # noqa: PLC0415

    extractor = onnx_features(Path(str(recipe.extractor)))

    def measured(generator: Generator) -> float:
        extractor.to(next(generator.parameters()).device)  # type: ignore[attr-defined]
        return rfid(crops, natural(generator, recipe.seed + _CODES), extractor).mean

    return measured
