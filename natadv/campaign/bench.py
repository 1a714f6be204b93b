"""What a campaign found, as images for a bench: each clean, and beside it the layout of the drops that fooled.

FOLDER/LABEL/NNNNN.png          as the attack saw it before any drops, at the model's input size
FOLDER/LABEL/NNNNN.drops.json   the drops; `natadv capture run` puts them on the plate instead of a spray
FOLDER/source.json              where the images come from
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from natadv.campaign.attacked import Attacked
from natadv.data.folder import SOURCE
from natadv.images import Image, write_image
from natadv.models.optics_generator import OpticsGenerator
from natadv.raindrops.layout import SUFFIX, save_layout

Save = Callable[[Path, NDArray[np.float32]], None]


def layout_writer(generator: OpticsGenerator) -> Save:
    """Return what writes the drops of a code, (d,), to a file."""
    here = next(generator.buffers()).device

    def write(path: Path, code: NDArray[np.float32]) -> None:
        save_layout(path, generator.layout(torch.from_numpy(code).to(here)))

    return write


def kept_for_bench(
    attacked: Iterable[Attacked],
    folder: Path,
    *,
    clean: NDArray[np.uint8] | Sequence[Image],
    names: Sequence[str],
    labels: Sequence[str],
    source: Mapping[str, Any],
    save: Save,
) -> Iterator[Attacked]:
    """Pass a campaign on, and write what fooled.

    Args:
        attacked: the campaign.
        folder: to write to, empty.
        clean: the images by number, uint8 RGB (h, w, 3).
        names: of their files, without a suffix.
        labels: one per class.
        source: as `natadv.campaign.files.write_campaign` takes it.
        save: writes a layout.
    """
    count = 0
    for one in attacked:
        if one.fooled and one.latent is not None:
            place = folder / labels[one.target]
            place.mkdir(exist_ok=True)
            write_image(place / f"{names[one.number]}.png", clean[one.number])
            save(place / f"{names[one.number]}{SUFFIX}", one.latent)
            count += 1
        yield one
    (folder / SOURCE).write_text(json.dumps({**source, "count": count}) + "\n", encoding="utf-8")
