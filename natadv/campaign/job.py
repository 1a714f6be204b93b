"""One run of `natadv attack`, from files to files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from natadv.attacks.starts import natural_codes
from natadv.batches import to_batch
from natadv.campaign.attacked import attack_right_ones
from natadv.campaign.bench import layout_writer, write_bench
from natadv.campaign.files import Summary, papers_of, summary_of, write_found, write_source
from natadv.campaign.journal import campaign_folder
from natadv.campaign.settings import AdvrdSettings
from natadv.campaign.target import open_target
from natadv.data.draw import draw
from natadv.data.load import load_dataset
from natadv.errors import ConfigError, DataError
from natadv.models.optics_generator import OpticsGenerator
from natadv.training.generators import OPTICS, bench_of, is_trained, open_generator
from natadv.training.pictures import pictures_for

_BLOCK, _CODES_BYTES = 128, 2**28
"""Images attacked at a time, which is what a stop can lose, and what their codes may take in memory."""


def attack_dataset(
    model: Path,
    data: str,
    out: Path,
    *,
    settings: AdvrdSettings,
    split: str = "test",
    count: int | None = None,
    seed: int = 0,
    root: Path = Path("data"),
    generator: str = OPTICS,
    bench: Path | None = None,
    resume: bool = False,
    device: str = "auto",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Summary:
    """Attack the images of a dataset that a model gets right, at its input size; write those that fool it to `out`.

    Args:
        model: a checkpoint, or a bundle's folder for a black box.
        data: a dataset's name or a folder.
        out: new folder, see `natadv.campaign.files`; it appears when all is written.
        settings: of the attack.
        split: "train" or "test".
        count: so many images, drawn; None takes all.
        seed: of the images drawn and of the drops; an image meets the same drops whatever model is attacked.
        root: where named datasets lie unpacked.
        generator: as `natadv.training.generators` reads it.
        bench: new folder for the clean images of what fooled and their drops, see `natadv.campaign.bench`; None for
            none. Optics only.
        resume: go on with an attack that was stopped.
        device: "auto", "cpu" or "cuda".
        progress: called with the images done and in all.

    Raises:
        ConfigError: if the folder exists, or an argument does not fit the model, the data or the other arguments.
        DataError: if a file is missing or damaged, the data have labels that the model lacks, or the model gets no
            image right.
        DeviceError: if the device is not there.
        ResourceError: if the disk is full.
    """
    if out.exists():
        raise ConfigError(f"{out}: exists already; take another folder")
    if bench is not None:
        _check_bench(bench, out, generator)
    with open_target(model, gradients=settings.box == "white", device=device) as target:
        _check_fit(settings, model, target.input_size)
        opened = open_generator(generator, target.input_size)
        drops = opened.generator.to(target.device)
        drawn = draw(load_dataset(data, split, root=root), count=count, seed=seed)
        pictures = pictures_for(drawn.dataset, target.labels, target.input_size)
        source = {"data": data, "split": split, "seed": seed, "part": [1, 1], "model_sha256": target.digest}
        source["attack"] = {"generator": opened.described} | settings.papers()
        save = layout_writer(opened.generator) if isinstance(opened.generator, OpticsGenerator) else None
        block = max(1, min(_BLOCK, _CODES_BYTES // (4 * settings.restarts * drops.latent_dim)))

        def codes(numbers: NDArray[np.int64]) -> Tensor:
            return natural_codes(drawn.numbers[numbers], settings.restarts, drops.latent_dim, seed=seed)

        about = {**source, **source["attack"], "drawn": len(pictures), "block": block}
        with campaign_folder(out, about, resume=resume) as journal:
            for start in range(journal.done, len(pictures), block):
                images, targets = pictures.images[start : start + block], pictures.targets[start : start + block]
                batch = to_batch(images, target.device), torch.from_numpy(targets).to(target.device)
                attack = settings.bind(drops, seed=seed + start)
                lines = []
                for one in attack_right_ones(
                    target.model,
                    [batch],
                    attack,
                    codes=codes,
                    batch_size=settings.batch_size,
                    first=start,
                    progress=lambda done: progress(done, len(pictures)),
                ):
                    number = one.number
                    lines.append(papers_of(one, drawn.numbers[number], drawn.dataset.keys[number], target.labels))
                    write_found(journal.folder, one, lines[-1], save)
                journal.add(lines, start + len(images))
            papers = journal.papers()
            if not papers:
                journal.done = 0  # nothing is worth going on with
                raise DataError(f"{data}: the model gets none of {len(pictures)} images right; nothing to attack")
            summary = summary_of(papers, drawn=len(pictures))
            write_source(journal.folder, source, summary)
            if bench is not None and save is not None:
                clean = dict(zip(drawn.dataset.keys, pictures.images, strict=True))
                write_bench(bench, papers, clean=clean, source=source, save=save)
        return summary


def _check_fit(settings: AdvrdSettings, model: Path, input_size: tuple[int, int]) -> None:
    """Refuse settings that this model cannot be attacked with."""
    if settings.margin >= 1 and model.is_dir():
        raise ConfigError(f"--margin {settings.margin:g}: a bundle answers with probabilities; none leads by 1")
    height, width = input_size
    if settings.translation > min(height, width):
        raise ConfigError(f"--translation {settings.translation}: wider than the model's {width}x{height} px input")


def _check_bench(bench: Path, out: Path, generator: str) -> None:
    """Refuse what would be found out when the attack is done."""
    if bench.exists():
        raise ConfigError(f"{bench}: exists already; take another folder")
    here, there = bench.resolve(), out.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise ConfigError(f"--bench {bench}: lies in --out, or holds it; take a folder of its own")
    if is_trained(generator):
        raise ConfigError(f"--bench: {generator} makes pictures of drops, not drops to place; take --generator optics")
    if bench_of(generator)[1] is None:
        raise ConfigError(
            f"--bench: {generator} chooses the light around the picture; a bench's is given: name it, "
            "as optics:medium@0.18 for the simulated rig"
        )
