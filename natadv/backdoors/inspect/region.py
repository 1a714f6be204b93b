"""The salient region: does what decides lie at the same small place in picture after picture?

SentiNet (Chou et al. 2020) asks Grad-CAM where a class is seen and whether that region carries over to other pictures.
Ours compares the maps of suspected pictures with those of others of the same label: how small the region is, and how
alike the maps are; by a permutation of who is suspected, it says how seldom chance would make them so much more alike.
Drops and patterns that lie all over a picture escape it, as the paper says of RDBA (Zhao et al. 2022, Sec. 5.3).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from natadv.batches import to_batch
from natadv.evaluation.cam import grad_cam, last_map

Maps = NDArray[np.float32]
_PLACES = 48  # finer than 7 x 7 is not asked for, coarser is where there is no other
_TOP = 0.1
_PERMUTATIONS = 199


@dataclass(frozen=True)
class Region:
    """Where the suspected pictures' class is seen, beside the others'.

    Attributes:
        concentration: share of a map's sum that its largest tenth holds, mean of the suspected, 0..1.
        likeness: mean correlation between maps of two suspected pictures, -1..1.
        reference: the same between two others.
        p_value: of a likeness that much greater, if it did not matter who is suspected; 1/200 at least.
    """

    concentration: float
    likeness: float
    reference: float
    p_value: float


def saliency(
    model: nn.Module,
    images: NDArray[np.uint8],
    classes: NDArray[np.int64],
    *,
    device: torch.device,
    method: Literal["grad-cam", "grad-cam++"] = "grad-cam",
) -> Maps:
    """Return the map of each image for its class, (n, h, w), 0..1, at the last layer of 7 x 7 places or more.

    Raises:
        ValueError: if there are no images, or the model has no map.
    """
    if not len(images):
        raise ValueError("expected at least one image")
    batch = to_batch(images, device)
    try:
        layer = last_map(model, batch[:1], places=_PLACES)
    except ValueError:
        layer = last_map(model, batch[:1])
    return grad_cam(model, batch, torch.from_numpy(classes), layer=layer, method=method).numpy()


def compare_regions(suspected: Maps, others: Maps, generator: np.random.Generator) -> Region:
    """Compare maps, (n, h, w), of suspected pictures with those of others, (m, h, w).

    Raises:
        ValueError: if there are fewer than two of either.
    """
    if len(suspected) < 2 or len(others) < 2:
        raise ValueError(f"expected two maps of each, got {len(suspected)} and {len(others)}")
    likeness = _correlations(np.concatenate([suspected, others]))
    marked = np.arange(len(likeness)) < len(suspected)
    found = _gap(likeness, marked)
    chance = [_gap(likeness, generator.permutation(marked)) for _ in range(_PERMUTATIONS)]
    return Region(
        concentration=float(np.mean([_concentration(one) for one in suspected])),
        likeness=_within(likeness, marked),
        reference=_within(likeness, ~marked),
        p_value=(1 + sum(value >= found for value in chance)) / (1 + _PERMUTATIONS),
    )


def _correlations(maps: Maps) -> NDArray[np.float64]:
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    flat = flat - flat.mean(1, keepdims=True)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    unit = flat / np.where(lengths == 0, 1, lengths)
    return unit @ unit.T


def _within(likeness: NDArray[np.float64], marked: NDArray[np.bool_]) -> float:
    some = likeness[np.ix_(marked, marked)]
    return float((some.sum() - np.trace(some)) / (len(some) * (len(some) - 1)))


def _gap(likeness: NDArray[np.float64], marked: NDArray[np.bool_]) -> float:
    return _within(likeness, marked) - _within(likeness, ~marked)


def _concentration(one: Maps) -> float:
    flat = np.sort(one.ravel())[::-1]
    total = float(flat.sum())
    return float(flat[: max(1, round(_TOP * len(flat)))].sum()) / total if total else 0.0
