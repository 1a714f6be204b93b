"""Small rigs and image folders that several tests use."""

from pathlib import Path

import numpy as np
import yaml

import rigs
from natadv.images import write_image

SIMULATED = Path(rigs.__file__).with_name("simulated.yaml")


def small_rig(folder: Path, **camera: object) -> Path:
    """Write the simulated rig with a small, quick camera; keywords change the camera."""
    settings = yaml.safe_load(SIMULATED.read_text())
    settings["camera"] |= {"width_px": 160, "height_px": 120, **camera}
    path = folder / "rig.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def image_folder(folder: Path, labels: int = 2, each: int = 2, size: int = 32) -> Path:
    """Write a labelled folder of coloured noise, every image another."""
    generator = np.random.default_rng(5)
    for label in range(labels):
        place = folder / f"{label:02d}"
        place.mkdir(parents=True)
        for number in range(each):
            coarse = generator.integers(0, 256, (4, 4, 3), np.uint8)
            write_image(place / f"{number}.png", np.kron(coarse, np.ones((size // 4, size // 4, 1), np.uint8)))
    return folder
