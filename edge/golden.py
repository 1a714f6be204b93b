"""Golden frames: what the original model said of some images, which a device replays before it is trusted."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.manifest import INPUT
from natadv.errors import BundleError


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


def golden_from_bytes(data: bytes, path: Path) -> Golden:
    """Read the bytes of `golden.npz`; `path` is for the message.

    Raises:
        BundleError: if they hold no such arrays.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            noise = {name: arrays[name] for name in arrays.files if name not in ("frames", "logits")}
            return Golden(arrays["frames"], arrays["logits"], noise)
    except Exception as error:  # what hostile bytes raise in NumPy, zipfile and zlib has no common base
        raise BundleError(f"{path}: holds no golden frames and logits ({type(error).__name__}: {error})") from error
