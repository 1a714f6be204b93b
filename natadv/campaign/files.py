"""A campaign on disk: what fooled as an ordinary labelled image folder, and a line of papers for every image attacked.

OUT/LABEL/NNNNN.png   images that fooled, 8 bits, numbered as in their dataset
OUT/LABEL/NNNNN.json  the drops that fooled, where the generator is optics: a layout; not called *.drops.json, or a
                      session would put the drops before the image once more
OUT/provenance.jsonl  one line an attacked image, fooled or not
OUT/source.json       where the images come from, as `natadv data export` writes it; a test split trains nothing
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from natadv.campaign.attacked import Attacked
from natadv.data.folder import SOURCE
from natadv.durable import new_folder
from natadv.errors import DataError
from natadv.evaluation.rates import Rate
from natadv.images import write_image

PROVENANCE = "provenance.jsonl"


@dataclass(frozen=True, slots=True)
class Summary:
    """What a campaign came to.

    Attributes:
        success: fooled of attacked.
        drawn: images drawn; those that the model got wrong were not attacked.
        mean_change: mean |change| of the images that fooled, of values in [0, 1]; NaN if none did.
        coverage: mean share of their pixels that changed visibly; NaN if none did.
        queries: mean forward passes an attacked image.
    """

    success: Rate
    drawn: int
    mean_change: float
    coverage: float
    queries: float

    def __str__(self) -> str:
        said = f"attack success rate {self.success} of the images that the model gets right, of {self.drawn}"
        if self.success.hits:
            said += f"; mean |dx| {255 * self.mean_change:.1f}/255, {100 * self.coverage:.0f} % covered"
        return f"{said}; {self.queries:.1f} queries an image"


def write_campaign(
    attacked: Iterable[Attacked],
    out: Path,
    *,
    labels: Sequence[str],
    keys: Sequence[str],
    numbers: NDArray[np.int64],
    source: Mapping[str, Any],
    layout: Callable[[Path, NDArray[np.float32]], None] | None = None,
) -> Summary:
    """Write images and papers as they come into a new folder, which appears when all are written.

    Args:
        attacked: the campaign, whose classes and numbers the next three translate.
        out: new folder.
        labels: one per class.
        keys: of the images drawn, in order.
        numbers: of the images drawn, in their dataset.
        source: data, split, seed and part of the images, and what else belongs to the papers of all; without `count`.
        layout: writes the drops of a code, (d,), to a file, where codes are drops.

    Raises:
        ValueError: if the folder exists.
        DataError: if the model gets no image right, or the file system refuses.
        ResourceError: if the disk is full.
    """
    lines = []
    with new_folder(out) as folder:
        with (folder / PROVENANCE).open("w", encoding="utf-8") as papers:
            for one in attacked:
                name = f"{file_name(numbers[one.number])}.png"
                line = _line(one, name, keys[one.number], labels)
                if one.fooled:
                    (folder / labels[one.target]).mkdir(exist_ok=True)
                    write_image(folder / line["path"], one.image)
                    if layout is not None and one.latent is not None:
                        layout((folder / line["path"]).with_suffix(".json"), one.latent)
                papers.write(json.dumps(line) + "\n")
                lines.append({**line, "latent": None})
        if not lines:
            raise DataError(f"{source['data']}: the model gets none of {len(keys)} images right; nothing to attack")
        fooled = [line for line in lines if line["fooled"]]
        text = json.dumps({**source, "count": len(fooled), "attacked": len(lines), "drawn": len(keys)})
        (folder / SOURCE).write_text(text + "\n", encoding="utf-8")
    return Summary(
        success=Rate(len(fooled), len(lines)),
        drawn=len(keys),
        mean_change=_mean(fooled, "mean_change"),
        coverage=_mean(fooled, "coverage"),
        queries=_mean(lines, "queries"),
    )


def file_name(number: int) -> str:
    """Return the name, without a suffix, of the files of an image of this number in its dataset."""
    return f"{number:05d}"


def _line(one: Attacked, name: str, key: str, labels: Sequence[str]) -> dict[str, Any]:
    """Return an image's papers; of one that was not fooled there is no change to tell."""
    label = labels[one.target]
    return {
        "key": key,
        "path": f"{label}/{name}" if one.fooled else None,
        "label": label,
        "predicted": labels[one.predicted],
        "fooled": one.fooled,
        "queries": one.queries,
        "gradients": one.gradients,
        "mean_change": one.mean_change if one.fooled else None,
        "p95_change": one.p95_change if one.fooled else None,
        "coverage": one.coverage if one.fooled else None,
        # A float32 in the fewest digits that give it back.
        "latent": None if one.latent is None else [float(str(value)) for value in one.latent],
    }


def _mean(lines: Sequence[Mapping[str, Any]], field: str) -> float:
    return fmean(line[field] for line in lines) if lines else math.nan
