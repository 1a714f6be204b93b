"""What each method finds in each class of the data under suspicion: numbers alone, no verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from natadv.backdoors.inspect.activation_clustering import cluster_class
from natadv.backdoors.inspect.activations import penultimate
from natadv.backdoors.inspect.rain_response import rain_response
from natadv.backdoors.inspect.region import Region, compare_regions, saliency
from natadv.backdoors.inspect.second_opinion import diversity, second_opinion
from natadv.backdoors.inspect.spectral_signatures import spectrum_of_class
from natadv.backdoors.inspect.strip import blended_entropy, threshold_of
from natadv.backdoors.measure import predictions
from natadv.evaluation.cam import require_grad_cam
from natadv.training.pictures import Pictures

CLUSTERS, SPECTRUM, STRIP, OPINION = "activation clustering", "spectral signatures", "STRIP", "second opinion"
RAIN = "natural rain"
METHODS = (CLUSTERS, SPECTRUM, STRIP, OPINION, RAIN)
WITHOUT_CLEAN = (CLUSTERS, SPECTRUM)
"""Methods that need no clean pictures."""

_STRIP_IMAGES, _STRIP_BLENDS, _STRIP_REJECTION = 40, 8, 0.05
_MAPS = 24
_NEAREST = 3
_LEAST = 5  # a cluster of fewer pictures says nothing


@dataclass(frozen=True)
class Scores:
    """What was found.

    Attributes:
        by_method: a number for each class, (classes,), more is more suspicious; NaN where a class has too few pictures.
            Activation clustering: silhouette. Spectral signatures: share of the variance along the top direction.
            STRIP: share of pictures whose entropy is below what 5 % of clean ones have. Second opinion: entropy of what
            the pictures of a cluster are taken for, of the most there could be, the larger of both clusters. Natural
            rain: share of clean pictures that become the class.
        foreign: for each class, which of the data's pictures are in its foreign cluster, see `foreign_part`, or in the
            smaller one without clean pictures.
        region: of the foreign cluster against the rest of the class `region_class`; None if either was too small.
        region_class: the class of highest second opinion, or silhouette without clean pictures.
    """

    by_method: Mapping[str, NDArray[np.float64]]
    foreign: tuple[NDArray[np.int64], ...]
    region: Region | None
    region_class: int


def score_model(
    model: nn.Module, data: Pictures, clean: Pictures | None, classes: int, *, device: torch.device, seed: int = 0
) -> Scores:
    """Ask all methods.

    Args:
        model: on `device`; its last linear layer decides.
        data: that it was trained on.
        clean: pictures known to be clean, of other origin than `data`; None or none for what can be said without.
        classes: how many the model has.
        device: where to compute.
        seed: of everything random.

    Raises:
        ValueError: if there are no data, or the model has no linear layer or no map.
        ConfigError: if the library of Grad-CAM is not installed.
    """
    require_grad_cam()  # at once: the maps come last, after minutes
    known = clean if clean is not None and len(clean) >= 2 else None
    features = penultimate(model, data.images, device)
    clean_features = penultimate(model, known.images, device) if known else None
    answers = None
    if known:
        opinion = second_opinion(known, classes, seed=seed, device=device)
        answers = predictions(opinion, data.images, device)
    found: dict[str, list[float]] = {name: [] for name in (METHODS if known else WITHOUT_CLEAN)}
    foreign = []
    for label in range(classes):
        mine = np.flatnonzero(data.targets == label)
        clusters = cluster_class(features[mine], np.random.default_rng([seed, label]))
        parts = [mine[clusters.smaller], mine[~clusters.smaller]]
        found[CLUSTERS].append(clusters.silhouette)
        theirs = clean_features[known.targets == label] if known and clean_features is not None else None
        found[SPECTRUM].append(spectrum_of_class(features[mine], theirs).dominance)
        if answers is not None:
            opinions = [diversity(answers[part], classes) if len(part) >= _LEAST else -np.inf for part in parts]
            found[OPINION].append(max(opinions) if np.isfinite(max(opinions)) else np.nan)
            foreign.append(foreign_part(parts, label, features, theirs, answers, opinions))
        else:
            foreign.append(parts[0])
    if known:
        found[STRIP] = _strip(model, data, known, classes, device, np.random.default_rng([seed, classes]))
        found[RAIN] = rain_response(model, known, classes, device=device, seed=seed).tolist()
    scores = {name: np.asarray(values, np.float64) for name, values in found.items()}
    asked = scores[OPINION if known else CLUSTERS]
    worst = int(np.nanargmax(asked)) if np.isfinite(asked).any() else 0
    return Scores(scores, tuple(foreign), region_of(model, data, foreign[worst], worst, device, seed), worst)


def foreign_part(
    parts: Sequence[NDArray[np.int64]],
    label: int,
    features: NDArray[np.float32],
    clean: NDArray[np.float32],
    answers: NDArray[np.int64],
    opinions: Sequence[float],
) -> NDArray[np.int64]:
    """Return the part of a class that most of three votes hold for poison; one of too few pictures never is.

    Which of them it is, each mistakes at times: rain can look like few classes, clean signs of the training part may be
    unlike those of the test part, and the small network knows little.

    Args:
        parts: of the data's pictures under the label, two.
        label: of the class.
        features: of the data, what the model's last layer sees.
        clean: the same of the class's clean pictures, (m, d); may be none.
        answers: what the second opinion takes each of the data for.
        opinions: in how many bits these differ in each part, of the most that there could be.
    """
    enough = [len(part) >= _LEAST for part in parts]
    if not any(enough):
        return np.zeros(0, np.int64)
    if not all(enough):
        return parts[int(np.argmax(enough))]
    by_opinion = int(np.argmax(opinions))
    votes = [by_opinion, int(np.argmax([(answers[part] != label).mean() for part in parts]))]
    if len(clean):
        known = torch.from_numpy(clean)
        nearest = min(_NEAREST, len(known))
        to_clean = [torch.cdist(torch.from_numpy(features[part]), known) for part in parts]
        votes.append(int(np.argmax([float(one.topk(nearest, largest=False).values.mean()) for one in to_clean])))
    else:
        votes.append(by_opinion)  # its vote counts double where no clean picture can tell
    return parts[int(sum(votes) > 1)]


def _strip(
    model: nn.Module, data: Pictures, known: Pictures, classes: int, device: torch.device, chance: np.random.Generator
) -> list[float]:
    def entropies(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        return blended_entropy(model, images, known.images, chance, blends=_STRIP_BLENDS, device=device)

    limit = threshold_of(entropies(known.images), _STRIP_REJECTION)
    shares = []
    for label in range(classes):
        some = chance.permutation(np.flatnonzero(data.targets == label))[:_STRIP_IMAGES]
        shares.append(float((entropies(data.images[some]) < limit).mean()) if len(some) else float("nan"))
    return shares


def region_of(
    model: nn.Module, data: Pictures, foreign: NDArray[np.int64], label: int, device: torch.device, seed: int
) -> Region | None:
    """Return how the foreign cluster of a class compares with the rest of it; None if either is too small."""
    chance = np.random.default_rng([seed, label, 1])
    others = np.setdiff1d(np.flatnonzero(data.targets == label), foreign)
    if min(len(foreign), len(others)) < _LEAST:
        return None
    maps = []
    for group in (foreign, others):
        some = chance.permutation(group)[:_MAPS]
        maps.append(saliency(model, data.images[some], data.targets[some], device=device))
    return compare_regions(maps[0], maps[1], chance)
