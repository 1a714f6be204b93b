"""What a campaign found, as images for a bench: each clean, and beside it the layout of the drops that fooled.

FOLDER/LABEL/NNNNN.png          as the attack saw it before any drops, at the model's input size
FOLDER/LABEL/NNNNN.drops.json   the drops; `natadv capture run` puts them on the plate instead of a spray
FOLDER/source.json              where the images come from
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from natadv.campaign.files import Save
from natadv.data.folder import SOURCE
from natadv.durable import new_folder
from natadv.images import Image, write_image
from natadv.models.optics_generator import OpticsGenerator
from natadv.raindrops.layout import SUFFIX, save_layout


def layout_writer(generator: OpticsGenerator) -> Save:
    """Return what writes the drops of a code, (d,), to a file."""
    here = next(generator.buffers()).device

    def write(path: Path, code: NDArray[np.float32]) -> None:
        save_layout(path, generator.layout(torch.from_numpy(code).to(here)))

    return write


def write_bench(
    out: Path,
    papers: Iterable[Mapping[str, Any]],
    *,
    clean: Mapping[str, Image],
    source: Mapping[str, Any],
    save: Save,
) -> None:
    """Write what fooled into a new folder, which appears when it is whole.

    Args:
        out: new folder.
        papers: of a campaign whose codes are drops.
        clean: the images by key, uint8 RGB (h, w, 3), as the attack saw them.
        source: where they come from, as the campaign's source.json says; without `count`.
        save: writes a layout.

    Raises:
        ResourceError: if the disk is full.
        DataError: if the file system refuses for another reason.
    """
    fooled = [line for line in papers if line["fooled"]]
    with new_folder(out) as folder:
        for line in fooled:
            path = folder / line["path"]
            path.parent.mkdir(exist_ok=True)
            write_image(path, clean[line["key"]])
            save(path.with_suffix(SUFFIX), np.array(line["latent"], np.float32))
        (folder / SOURCE).write_text(json.dumps({**source, "count": len(fooled)}) + "\n", encoding="utf-8")
