"""Record: what one attack did to one image, as it is kept and counted."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import cv2
from torch import Tensor

from natadv.attacks.outcome import Outcome
from natadv.batches import to_images
from natadv.images import Image

JPEG_QUALITY = 95

_OPTIONS = {
    # What libpng does by itself; OpenCV's own choice is quick and leaves a tenth of the bytes that others save.
    ".png": [cv2.IMWRITE_PNG_COMPRESSION, 6, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT],
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY],
}


@dataclass(frozen=True, slots=True)
class Record:
    """The result for one image.

    Attributes:
        fooled: whether the model errs on the 8-bit image that the attack returned.
        queries: forward passes of the model.
        gradients: backward passes.
        l0: share of the values that changed, 0..1.
        l2: length of the change, values in 0..1.
        linf: largest change of a value, 0..1.
        png: bytes as PNG, at libpng's own settings, over the clean image's.
        jpeg: bytes as JPEG of quality 95 over the clean image's.
    """

    fooled: bool
    queries: int
    gradients: int
    l0: float
    l2: float
    linf: float
    png: float
    jpeg: float

    def plain(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Self:
        """Return a record of plain values.

        Raises:
            KeyError, TypeError, ValueError: if they are none.
        """
        return cls(
            fooled=bool(values["fooled"]),
            queries=int(values["queries"]),
            gradients=int(values["gradients"]),
            **{name: float(values[name]) for name in ("l0", "l2", "linf", "png", "jpeg")},
        )


def records(outcome: Outcome, clean: Tensor) -> list[Record]:
    """Return a record for each image of an outcome.

    Args:
        outcome: of attacking n images.
        clean: those, (n, 3, h, w), RGB in [0, 1].
    """
    change = (outcome.images - clean).flatten(1)
    l0 = (change.abs() > 0.5 / 255).float().mean(1)
    found = []
    for number, (before, after) in enumerate(zip(_eight_bit(clean), _eight_bit(outcome.images), strict=True)):
        found.append(
            Record(
                fooled=bool(outcome.fooled[number]),
                queries=int(outcome.queries[number]),
                gradients=int(outcome.gradients[number]),
                l0=round(float(l0[number]), 6),
                l2=round(float(change[number].norm()), 6),
                linf=round(float(change[number].abs().max()), 6),
                png=round(file_bytes(after, ".png") / file_bytes(before, ".png"), 6),
                jpeg=round(file_bytes(after, ".jpg") / file_bytes(before, ".jpg"), 6),
            )
        )
    return found


def file_bytes(image: Image, kind: str) -> int:
    """Return how many bytes an image, uint8 RGB (h, w, 3), takes as ".png", level 6, or as ".jpg" of quality 95.

    Raises:
        ValueError: if it is neither.
    """
    if kind not in _OPTIONS:
        raise ValueError(f"expected .png or .jpg, got {kind}")
    _, data = cv2.imencode(kind, image[..., ::-1], _OPTIONS[kind])
    return len(data)


def _eight_bit(images: Tensor) -> list[Image]:
    return list(to_images(images))
