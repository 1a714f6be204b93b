"""Drop layouts beside images, as `natadv attack advrd --bench` writes them."""

from pathlib import Path

from natadv.images import labelled_files
from natadv.raindrops.drops import Drops
from natadv.raindrops.layout import SUFFIX, Layout, save_layout

BENCH = {"glass_mm": 200.0, "aperture_mm": 2.0, "picture_mm": 240.0, "ambient": 0.18}
"""Of rigs/simulated.yaml."""


def lay(images: Path, drops: Drops, **bench: float) -> Path:
    """Put a layout beside the second image of a folder, found on that bench but for `bench`; return its file."""
    path = labelled_files(images)[1].path.with_suffix(SUFFIX)
    save_layout(path, Layout(drops, **(BENCH | bench)))
    return path
