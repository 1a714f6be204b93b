"""A bank of given images, with papers as `natadv detect bank` writes them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from natadv.detection.banked import CLEAN, PAPERS, Banked, BankPapers, Family, Kind
from natadv.detection.kin import Part
from natadv.images import write_image

Drawn = Mapping[Part, Mapping[str, NDArray[np.uint8]]]


def write_bank(
    folder: Path,
    drawn: Drawn,
    *,
    sources: Mapping[Part, Mapping[str, list[str]]] | None = None,
    families: Mapping[str, Family] | None = None,
    labels: Mapping[Part, Mapping[str, list[str]]] | None = None,
) -> Path:
    """Write images, uint8 (n, side, side, 3) by part and kind; the k-th of each kind is of source k, if not said."""
    images = []
    for part, kinds in drawn.items():
        for kind, some in kinds.items():
            (folder / part / kind).mkdir(parents=True)
            for number, image in enumerate(some):
                path = f"{part}/{kind}/{number:05d}.png"
                write_image(folder / path, image)
                source = f"{part}-{number}" if sources is None else sources[part][kind][number]
                label = "a" if labels is None else labels[part][kind][number]
                images.append(Banked(path=path, part=part, kind=kind, source=source, label=label, said=label))
    kinds = {kind: (families or {}).get(kind, "artificial") for some in drawn.values() for kind in some}
    papers = BankPapers(
        data="drawn",
        model="tiny",
        model_sha256="0" * 64,
        size_px=next(iter(next(iter(drawn.values())).values())).shape[1],
        seed=0,
        kinds={
            kind: Kind(family="clean" if kind == CLEAN else family, settings={}, tried=1, fooled=1)
            for kind, family in kinds.items()
        },
        images=tuple(images),
    )
    (folder / PAPERS).write_text(papers.model_dump_json())
    return folder
