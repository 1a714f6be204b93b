"""One run of `natadv attack`, from files to files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from natadv.attacks.starts import natural_codes
from natadv.campaign.attacked import attack_right_ones
from natadv.campaign.bench import kept_for_bench, layout_writer
from natadv.campaign.files import Summary, file_name, write_campaign
from natadv.campaign.settings import AdvrdSettings
from natadv.campaign.target import open_target
from natadv.data.draw import draw
from natadv.data.load import load_dataset
from natadv.data.match import targets_by_label
from natadv.errors import ConfigError
from natadv.models.optics_generator import OpticsGenerator
from natadv.training.generators import OPTICS, is_trained, open_generator
from natadv.training.pictures import Pictures, read_pictures, to_batch

_BLOCK, _CODES_BYTES = 256, 2**28
"""Images attacked at a time, and what their codes may take: those of a whole dataset need not fit in memory."""


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
        device: "auto", "cpu" or "cuda".
        progress: called with the images done and in all.

    Raises:
        ConfigError: if the folder exists, or an argument does not fit the model, the data or the other arguments.
        DataError: if a file is missing or damaged, the data have labels that the model lacks, or the model gets no
            image right.
        DeviceError: if the device is not there.
        ResourceError: if the disk is full.
    """
    for folder in (out, bench):
        if folder is not None and folder.exists():
            raise ConfigError(f"{folder}: exists already; take another folder")
    if bench is not None and is_trained(generator):
        raise ConfigError(f"--bench: {generator} makes pictures of drops, not drops to place; take --generator optics")
    with open_target(model, gradients=settings.box == "white", device=device) as target:
        height, width = target.input_size
        if settings.translation > min(height, width):
            raise ConfigError(f"--translation {settings.translation}: wider than the model's {width}x{height} px input")
        opened = open_generator(generator, target.input_size)
        drops = opened.generator.to(target.device)
        drawn = draw(load_dataset(data, split, root=root), count=count, seed=seed)
        targets = targets_by_label(drawn.dataset, target.labels)
        pictures = Pictures(read_pictures(drawn.dataset, target.input_size).images, targets)

        block = max(1, min(_BLOCK, _CODES_BYTES // (4 * settings.restarts * drops.latent_dim)))

        def codes(numbers: NDArray[np.int64]) -> Tensor:
            return natural_codes(drawn.numbers[numbers], settings.restarts, drops.latent_dim, seed=seed)

        attacked = attack_right_ones(
            target.model,
            (
                (to_batch(images, target.device), torch.from_numpy(targets).to(target.device))
                for images, targets in pictures.batches(block)
            ),
            settings.bind(drops, seed=seed),
            codes=codes,
            batch_size=settings.batch_size,
            progress=lambda done: progress(done, len(pictures)),
        )
        source = {"data": data, "split": split, "seed": seed, "part": [1, 1], "model_sha256": target.digest}
        source["attack"] = {"generator": opened.described} | settings.papers()
        save = layout_writer(opened.generator) if isinstance(opened.generator, OpticsGenerator) else None
        if bench is not None and save is not None:
            attacked = kept_for_bench(
                attacked,
                bench,
                clean=pictures.images,
                names=[file_name(number) for number in drawn.numbers],
                labels=target.labels,
                source=source,
                save=save,
            )
        return write_campaign(
            attacked,
            out,
            labels=target.labels,
            keys=drawn.dataset.keys,
            numbers=drawn.numbers,
            source=source,
            layout=save,
        )
