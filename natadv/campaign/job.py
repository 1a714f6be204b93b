"""One run of `natadv attack`, from files to files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from natadv.attacks.starts import natural_codes
from natadv.campaign.attacked import attack_right_ones
from natadv.campaign.files import Summary, write_campaign
from natadv.campaign.settings import AdvrdSettings
from natadv.campaign.target import draw_images, open_target
from natadv.errors import ConfigError
from natadv.models.optics_generator import OpticsGenerator
from natadv.raindrops.layout import save_layout
from natadv.training.generators import OPTICS, open_generator
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
    with open_target(model, gradients=settings.box == "white", device=device) as target:
        height, width = target.input_size
        if settings.translation > min(height, width):
            raise ConfigError(f"--translation {settings.translation}: wider than the model's {width}x{height} px input")
        opened = open_generator(generator, target.input_size)
        drops = opened.generator.to(target.device)
        drawn = draw_images(data, split, count=count, seed=seed, labels=target.labels, root=root)
        pictures = Pictures(read_pictures(drawn.dataset, target.input_size).images, drawn.targets)

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
        return write_campaign(
            attacked,
            out,
            labels=target.labels,
            keys=drawn.dataset.keys,
            numbers=drawn.numbers,
            source={**source, "attack": {"generator": opened.described} | settings.papers()},
            layout=_layout(opened.generator),
        )


def _layout(generator: nn.Module) -> Callable[[Path, NDArray[np.float32]], None] | None:
    if not isinstance(generator, OpticsGenerator):
        return None
    here = next(generator.buffers()).device

    def write(path: Path, code: NDArray[np.float32]) -> None:
        z = torch.from_numpy(code).to(here)
        ambient = float(generator.population(z[None]).ambient[0])
        save_layout(path, generator.layout(z), wetness=generator.wetness, ambient=round(ambient, 4))

    return write
