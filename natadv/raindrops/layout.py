"""Layouts: drops on a plate as a file, with the bench they were found on, to be put there again drop by drop.

JSON. `plate_mm` [width, height], positions from its middle; `drops`, each with x_mm, y_mm, radius_mm, contact_deg and
ragged, the amplitude and phase of its contact line's harmonics as [[real, imaginary], ...] in radii, as `Drops` says;
`bench`, the numbers of `Layout`.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from natadv.durable import replace_file
from natadv.errors import DataError
from natadv.raindrops.drops import HARMONICS, Drops

SUFFIX = ".drops.json"
"""Of the layout that lies beside an image and is to be put before it: `17.png`, `17.drops.json`."""

_COLUMNS = ("x_mm", "y_mm", "radius_mm", "contact_deg")
_BENCH = ("glass_mm", "aperture_mm", "picture_mm", "ambient")


@dataclass(frozen=True, slots=True)
class Layout:
    """Drops, without the film between them, and where they do what they were found to do.

    Attributes:
        drops: on a plate at its home position.
        glass_mm: distance from the camera to the plate.
        aperture_mm: diameter of the camera's entrance pupil.
        picture_mm: longer side of the picture on the screen.
        ambient: linear light around the picture, of its white.
    """

    drops: Drops
    glass_mm: float
    aperture_mm: float
    picture_mm: float
    ambient: float


def save_layout(path: Path, layout: Layout) -> None:
    """Write a layout.

    Raises:
        ResourceError: if the disk is full.
        DataError: if the file system refuses for another reason.
    """
    drops = layout.drops
    rows = [
        {name: _short(getattr(drops, name)[i]) for name in _COLUMNS}
        | {"ragged": [[_short(wave.real), _short(wave.imag)] for wave in drops.ragged[i]]}
        for i in range(len(drops))
    ]
    bench = {name: getattr(layout, name) for name in _BENCH}
    content = {"bench": bench, "plate_mm": list(drops.plate_mm), "drops": rows}
    replace_file(path, (json.dumps(content) + "\n").encode())


def load_layout(path: Path) -> Layout:
    """Read a layout back.

    Raises:
        DataError: if the file is missing or holds no layout.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows, (width, height) = content["drops"], content["plate_mm"]
        columns = [np.array([row[name] for row in rows], np.float32) for name in _COLUMNS]
        waves = np.array([row["ragged"] for row in rows], np.float32).reshape(len(rows), len(HARMONICS), 2)
        drops = Drops((width, height), *columns, ragged=(waves[..., 0] + 1j * waves[..., 1]).astype(np.complex64))
        return Layout(drops, *(float(content["bench"][name]) for name in _BENCH))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: not a drop layout ({reason})") from error


def _short(value: np.floating) -> float:
    """Return a float32 in the fewest digits that give it back."""
    return float(str(np.float32(value)))
