"""A campaign on disk: what fooled as an ordinary labelled image folder, and a line of papers for every image attacked.

OUT/LABEL/NNNNN.png   images that fooled, 8 bits, numbered as in their dataset
OUT/LABEL/NNNNN.json  the drops that fooled, where the generator is optics: a layout; not called *.drops.json, or a
                      session would put the drops before the image once more
OUT/provenance.jsonl  one line an attacked image, fooled or not
OUT/source.json       where the images come from, as `natadv data export` writes it; a test split trains nothing
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from natadv.campaign.attacked import Attacked
from natadv.data.folder import SOURCE
from natadv.evaluation.rates import Rate
from natadv.images import write_image

PROVENANCE = "provenance.jsonl"

Save = Callable[[Path, NDArray[np.float32]], None]
"""Writes the drops of a code, (d,), to a file."""


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


def summary_of(papers: Sequence[Mapping[str, Any]], *, drawn: int) -> Summary:
    """Return what the papers of all images attacked, of so many drawn, come to."""
    fooled = [line for line in papers if line["fooled"]]
    return Summary(
        success=Rate(len(fooled), len(papers)),
        drawn=drawn,
        mean_change=_mean(fooled, "mean_change"),
        coverage=_mean(fooled, "coverage"),
        queries=_mean(papers, "queries"),
    )


def write_source(folder: Path, source: Mapping[str, Any], summary: Summary) -> None:
    """Write source.json, which keeps what comes from test images away from training.

    Args:
        folder: the campaign's.
        source: data, split, seed and part of the images, and what else belongs to the papers of all; without `count`.
        summary: of the campaign.
    """
    counts = {"count": summary.success.hits, "attacked": summary.success.total, "drawn": summary.drawn}
    (folder / SOURCE).write_text(json.dumps({**source, **counts}) + "\n", encoding="utf-8")


def write_found(folder: Path, one: Attacked, line: Mapping[str, Any], save: Save | None) -> None:
    """Write the image that fooled, if it did, and its drops, where codes are drops.

    Args:
        folder: the campaign's.
        one: an image attacked.
        line: its papers.
        save: writes the drops of a code to a file.

    Raises:
        ResourceError: if the disk is full.
        DataError: if the file system refuses for another reason.
    """
    if not one.fooled:
        return
    path = folder / line["path"]
    path.parent.mkdir(exist_ok=True)
    write_image(path, one.image)
    if save is not None and one.latent is not None:
        save(path.with_suffix(".json"), one.latent)


def file_name(number: int) -> str:
    """Return the name, without a suffix, of the files of an image of this number in its dataset."""
    return f"{number:05d}"


def papers_of(one: Attacked, number: int, key: str, labels: Sequence[str]) -> dict[str, Any]:
    """Return an image's papers; of one that was not fooled there is no change to tell.

    Args:
        one: the image attacked.
        number: in its dataset.
        key: in its dataset.
        labels: one per class.
    """
    label, name = labels[one.target], f"{file_name(number)}.png"
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
