"""How like real raindrops generated ones are: RFID on real pairs that no generator was trained on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from natadv.data.crops import Crops, fixed_crops
from natadv.data.pairs import load_pairs
from natadv.errors import ConfigError, DataError
from natadv.evaluation.fid import frechet_distance
from natadv.evaluation.rfid import Rfid, extract, rfid_of_features
from natadv.evaluation.rfid_controls import RenderedDrops, drop_free, natural
from natadv.models.features import onnx_features
from natadv.papers.number import Number, setting
from natadv.papers.request import Request, required
from natadv.raindrops.photograph import RandomGlass, behind_panes
from natadv.training.generators import generator_file, is_trained, open_generator
from natadv.training.quasi_gan.checkpoint import load_generator

CLEAN, RENDERED, BENCH = "control_clean", "control_rendered", "control_bench"
"""Rows of what a generator has to beat: no drops; rendered ones before a photographer's lens; those of the bench."""

_SIZE_PX = 128
"""Side of the crops where neither --size nor a generator's recipe says one."""

_MEASURES: Mapping[str, Callable[[Rfid], Sequence[float]]] = {
    "FID(Pf1, Pr2)": lambda found: found.generated,
    "FID(Pr1, Pr2)": lambda found: found.real,
    "rfid": lambda found: found.ratios,
}


@dataclass(frozen=True)
class Judged:
    """A generator, or a control, and how like real drops its drops are.

    Attributes:
        name: of the table's row.
        found: RFID, on halves that show different things.
        same: FID between its drops and the real ones on the very same crops, all of them: what they show is equal, so
            this tells drops apart best, though the paper has no such number.
        setting: how it was measured.
    """

    name: str
    found: Rfid
    same: float
    setting: str


def judge(request: Request, *, controls: bool = True) -> Iterator[Judged]:
    """Yield the RFID of `request.generators`, then of no drops at all and of rendered ones, on the same crops.

    Args:
        request: with pairs and an extractor.
        controls: whether to yield what a generator has to beat.

    Raises:
        ConfigError: without pairs or an extractor, or if the generators leave too few photographs to split.
        DataError: if a file cannot be read.
    """
    folder = required(request.pairs, "--pairs")
    extractor = onnx_features(required(request.extractor, "--extractor")).to(request.device)
    crops = unseen_crops(request)
    size = (crops.clean.shape[1], crops.clean.shape[2])
    real = extract(crops.rain, extractor)

    def judged(name: str, wet: Callable[[Tensor], Tensor], **parts: object) -> Judged:
        fake = extract(crops.clean, extractor, wet)
        found = rfid_of_features(
            real, fake, crops.photographs, extractor=extractor.name, splits=request.splits, seed=request.seed
        )
        said = setting(
            data=said_of(crops, folder.name),
            **parts,
            size=f"{size[1]}x{size[0]} px",
            extractor=extractor.name,
            brackets=f"the middle 95 % of {request.splits} splits, no confidence interval",
            seed=request.seed,
        )
        return Judged(name, found, frechet_distance(fake, real), said)

    for spec in request.generators:
        drops = open_generator(spec, (size[0], size[1]))
        yield judged(drops.name, natural(drops.generator.to(request.device), request.seed), generator=drops.described)
    if controls:
        yield judged(CLEAN, drop_free)
        panes = behind_panes(size, np.random.default_rng(request.seed))
        yield judged(RENDERED, RenderedDrops(panes, seed=request.seed))
        bench = RandomGlass(size, np.random.default_rng(request.seed), plates=24)
        yield judged(BENCH, RenderedDrops(bench, seed=request.seed))


def said_of(crops: Crops, name: str) -> str:
    """Return what crops are of, with how many of their pairs have a clean side that was photographed."""
    shown = f"pairs {name}, {len(crops)} crops of {len(set(crops.photographs))} photographs"
    true = len({photograph for photograph, real in zip(crops.photographs, crops.true, strict=True) if real})
    return f"{shown}, {true} of them with a photographed clean side, the others' restored by a network"


def number_of(judged: Judged, measure: str, *, row: str, column: str, paper: float | None) -> Number:
    """Return a measure as a number, with the middle 95 % of the splits as its interval.

    Args:
        judged: a generator.
        measure: FID(Pf1, Pr2), FID(Pr1, Pr2) or rfid.
        row: of the table.
        column: of the table.
        paper: the published number.
    """
    values = _MEASURES[measure](judged.found)
    low, high = np.quantile(values, (0.025, 0.975))
    return Number(
        row, column, float(np.mean(values)), float(low), float(high), judged.found.crops, paper, judged.setting
    )


def unseen_crops(request: Request) -> Crops:
    """Cut crops of the pairs that show no photograph which a generator of the request was trained on.

    Raises:
        ConfigError: without pairs, or if fewer than four photographs are left.
        DataError: if a file cannot be read, or a picture is smaller than a crop.
    """
    folder = required(request.pairs, "--pairs")
    loaded = [load_generator(generator_file(name)) for name in request.generators if is_trained(name)]
    pairs = load_pairs(folder)
    trained = {key for one in loaded for key in one.provenance.get("real_pairs", ())}
    if missing := sorted(trained - {pair.key for pair in pairs}):
        raise ConfigError(f"--pairs {folder}: has no {missing[0]}, which a generator was trained on; take that folder")
    seen = {pair.photograph for pair in pairs if pair.key in trained}
    unseen = [pair for pair in pairs if pair.photograph not in seen]
    shown = len({pair.photograph for pair in unseen})
    if shown < 4:
        raise ConfigError(f"--pairs {folder}: {shown} photographs that no generator was trained on; RFID needs 4")
    sizes = {one.recipe["size_px"] for one in loaded}
    side = request.size_px or (max(sizes) if sizes else _SIZE_PX)
    try:
        return fixed_crops(unseen, (side, side), each=request.crops, seed=request.seed)
    except ValueError as error:
        raise DataError(f"{folder}: {error}") from error
