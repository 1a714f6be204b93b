"""Golden frames: what the original model said of some images, which a device replays before it is trusted."""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.manifest import INPUT, Manifest
from edge.npz import read_arrays
from edge.wording import one_line
from natadv.errors import BundleError

MOST_GOLDEN: Final = 256
"""Frames; an export writes 8."""
MOST_GOLDEN_BYTES: Final = 1 << 30
_HEADERS_BYTES: Final = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """What the original model said of some frames.

    Attributes:
        frames: uint8 RGB (n, h, w, 3).
        logits: float32 (n, classes).
        noise: int32 arrays by the input that they were given to; none for a model that takes no chance.
    """

    frames: NDArray[np.uint8]
    logits: NDArray[np.float32]
    noise: Mapping[str, NDArray[np.int32]] = field(default_factory=dict)

    @property
    def feed(self) -> dict[str, NDArray[Any]]:
        """All inputs by name."""
        return {INPUT: self.frames, **self.noise}


def golden_to_bytes(golden: Golden) -> bytes:
    """Return golden frames as `golden.npz` has them."""
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {"frames": golden.frames, "logits": golden.logits, **golden.noise}
    np.savez(buffer, **arrays)  # its dates are fixed: same arrays, same bytes
    return buffer.getvalue()


def golden_from_bytes(data: bytes, manifest: Manifest, path: Path) -> Golden:
    """Read the bytes of `golden.npz`, which unpack to what the manifest's input takes, at most; `path` is for messages.

    Raises:
        BundleError: if they hold no such arrays.
    """
    shapes = manifest.input_shapes
    a_frame = sum(math.prod(shape) * (1 if name == INPUT else 4) for name, shape in shapes.items())
    most = MOST_GOLDEN * (a_frame + 4 * len(manifest.labels)) + _HEADERS_BYTES
    try:
        arrays = read_arrays(data, ("logits", *shapes), min(most, MOST_GOLDEN_BYTES))
        return Golden(arrays.pop("frames"), arrays.pop("logits"), arrays)
    except Exception as error:  # what hostile bytes raise in zipfile and zlib has no common base
        said = one_line(f"{type(error).__name__}: {error}")
        raise BundleError(f"{path}: holds no golden frames and logits ({said})") from error
