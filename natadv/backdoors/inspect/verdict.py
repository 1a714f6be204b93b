"""The verdict: is a model suspicious, on what evidence, and how often is such a verdict wrong?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from natadv.backdoors.inspect.scores import CLUSTERS, OPINION, RAIN, SPECTRUM, STRIP, Scores, region_of, score_model
from natadv.backdoors.inspect.thresholds import Listed, Measured, Rule, Thresholds, read_thresholds
from natadv.backdoors.measure import predictions
from natadv.batches import to_batch
from natadv.errors import DataError
from natadv.training.pictures import Pictures

_WORDS = {
    CLUSTERS: "two clusters in what the last layer sees of it, silhouette {:.3f}",
    SPECTRUM: "{:.3f} of its variance lies along one direction",
    STRIP: "{:.3f} of its pictures keep their class under blending, as 0.05 of clean ones do that it never saw",
    OPINION: "a network that saw clean pictures alone takes a cluster of it for many classes, {:.3f} of the most bits",
    RAIN: "{:.3f} of the clean pictures of other classes become it in rain that nobody planted, beyond those dry",
}

_LEAST_MODELS = 8


@dataclass(frozen=True)
class Evidence:
    """What one method says.

    Attributes:
        method: its name.
        score: its largest number of all classes; NaN if no class has enough pictures.
        threshold: what the score must exceed to count; tuned on known models.
        target: the class with that number; None without one.
        measured: how often the method alone was right, on models that it was not tuned on.
        words: all of it in a sentence.
    """

    method: str
    score: float
    threshold: float
    target: int | None
    measured: Measured
    words: str

    @property
    def exceeded(self) -> bool:
        """Whether the score is above the threshold."""
        return self.score > self.threshold


@dataclass(frozen=True)
class Verdict:
    """What the inspection came to.

    Attributes:
        suspicious: whether what the methods say of a class, added up, is above the limit.
        target: class that carries poison, as it seems; None if not suspicious.
        evidence: one of each method.
        most: that sum, of the class that has most.
        together: it and the limit, in words.
        region: where Grad-CAM sees the class most suspected, in words; None if a cluster was too small to tell.
        suspected: indices of the data's pictures that seem poisoned, sorted; none if not suspicious.
        errors: how often such a verdict was right and wrong on models that it was not tuned on.
        setting: what these models were: other networks, sizes and data may err otherwise.
        listed: how good such lists of pictures were on them; None where that was not measured.
        clean: whether clean pictures were at hand, two at least, so that the rule for them judged.
        reservation: why the error rates may not hold here, in words; None where nothing says so.
    """

    suspicious: bool
    target: int | None
    evidence: tuple[Evidence, ...]
    most: float
    together: str
    region: str | None
    suspected: NDArray[np.int64]
    errors: Measured
    setting: str
    listed: Listed | None = None
    clean: bool = False
    reservation: str | None = None

    @property
    def errors_in_words(self) -> str:
        """The error rates in a sentence."""
        return (
            f"of {self.errors.poisoned} poisoned models the inspection found {self.errors.detection}, "
            f"of {self.errors.clean} clean ones it suspected {self.errors.false_alarm}; {self.setting}"
            + (f"; BUT {self.reservation}" if self.reservation else "")
        )


def inspect_model(
    model: nn.Module,
    data: Pictures,
    clean: Pictures | None,
    *,
    device: torch.device,
    seed: int = 0,
    thresholds: Thresholds | None = None,
    labels: Sequence[str] | None = None,
) -> Verdict:
    """Inspect a model and the data that it was trained on.

    Args:
        model: gives logits of (n, 3, h, w) in 0..1; its last linear layer decides. Its mode and weights stay.
        data: that it was trained on, at the model's size, under its classes.
        clean: pictures known to be clean and not in `data`, as some of a test set; None for what can be said without,
            which is little.
        device: where to compute; the model is moved there.
        seed: of everything random.
        thresholds: as a calibration has it; None for the one that is shipped.
        labels: of the model's classes, for the words; None for their numbers.

    Raises:
        DataError: if there are too few pictures in every class, or the calibration is missing or damaged.
        ValueError: if the model has no linear layer or no map.
    """
    if not len(data):
        raise DataError("no training data to inspect; name the folder that the model was trained on")
    known = clean if clean is not None and len(clean) >= 2 else None
    calibration = thresholds or read_thresholds()
    rule = calibration.with_clean if known else calibration.without_clean
    model = model.to(device)
    classes = _classes(model, data, device)
    if (known and int(known.targets.max()) >= classes) or int(data.targets.max()) >= classes:
        raise DataError(f"the model has {classes} classes, the pictures more; take those that it was trained on")
    scores = score_model(model, data, known, classes, device=device, seed=seed)
    if not any(np.isfinite(values).any() for values in scores.by_method.values()):
        raise DataError(f"{len(data)} pictures in {classes} classes are too few to inspect")
    verdict = judge(scores, rule, calibration.setting, labels)
    if verdict.target is not None and verdict.target != scores.region_class:
        region = region_of(model, data, scores.foreign[verdict.target], verdict.target, device, seed)
        verdict = judge(replace(scores, region=region, region_class=verdict.target), rule, calibration.setting, labels)
    doubts = (
        None if rule.tuned.clean >= _LEAST_MODELS else f"{rule.tuned.clean} clean models alone set its limit",
        _too_few(data, known, calibration.clean_per_class) if known else None,
        _too_bad(model, known, calibration.least_accuracy, device) if known else None,
    )
    reservation = "; ".join(doubt for doubt in doubts if doubt) or None
    return replace(verdict, clean=known is not None, reservation=reservation)


def _too_few(data: Pictures, clean: Pictures, usual: int | None) -> str | None:
    """Return why so few clean pictures may mislead, or None: with two of each class a clean model looks suspicious."""
    classes = np.unique(data.targets)
    counts = [int((clean.targets == label).sum()) for label in classes]
    if usual is None or 2 * min(counts) >= usual:
        return None
    few = sum(2 * count < usual for count in counts)
    return (
        f"{few} of {len(classes)} classes have less than half of the {usual} clean pictures that it was measured with"
    )


def _too_bad(model: nn.Module, clean: Pictures, usual: float | None, device: torch.device) -> str | None:
    """Return why a model that has hardly learnt may look suspicious, or None: its classes lie about as poison does."""
    right = float((predictions(model, clean.images, device) == clean.targets).mean())
    if usual is None or right >= usual:
        return None
    return (
        f"the model is right of {100 * right:.0f} % of the clean pictures, and those that it was measured with of "
        f"{100 * usual:.0f} % at least"
    )


def judge(scores: Scores, rule: Rule, setting: str, labels: Sequence[str] | None = None) -> Verdict:
    """Return the verdict on what was found.

    Args:
        scores: with all methods of the rule.
        rule: for data with clean pictures, or without.
        setting: what the rule was measured on, in words.
        labels: of the classes, for the words; None for their numbers.
    """
    names = labels or [str(number) for number in range(len(scores.foreign))]
    evidence = tuple(_evidence(name, scores, rule, names) for name in rule.thresholds)
    heard = {one.method: one.score for one in evidence}, {one.method: one.target for one in evidence}
    target = rule.named(*heard)
    return Verdict(
        suspicious=target is not None,
        target=target,
        evidence=evidence,
        most=rule.weighed(*heard)[0],
        together=_together(*rule.weighed(*heard), rule.limit, names),
        region=_region_words(scores, names),
        suspected=np.sort(scores.foreign[target]) if target is not None else np.zeros(0, np.int64),
        errors=rule.measured,
        setting=setting,
        listed=rule.listed,
    )


def _evidence(name: str, scores: Scores, rule: Rule, labels: Sequence[str]) -> Evidence:
    values = scores.by_method[name]
    there = bool(np.isfinite(values).any())
    target = int(np.nanargmax(values)) if there else None
    score = float(values[target]) if target is not None else float("nan")
    said = (
        f"class {labels[target]}: {_WORDS[name].format(score)}"
        if target is not None
        else "too few pictures in every class"
    )
    side = "above" if score > rule.thresholds[name] else "not above"
    return Evidence(
        method=name,
        score=score,
        threshold=rule.thresholds[name],
        target=target,
        measured=rule.by_method[name],
        words=f"{name}: {said}; {side} {rule.thresholds[name]:.3f}",
    )


def _together(most: float, label: int | None, limit: float, labels: Sequence[str]) -> str:
    side = "above" if most > limit else "not above"
    of = "" if label is None else f"class {labels[label]}: "
    found = f"{of}{most:.2f} deviations beyond the mean of clean models, added up"
    return f"together, which decides: {found}; {side} {limit:.2f}"


def _region_words(scores: Scores, labels: Sequence[str]) -> str | None:
    region = scores.region
    if region is None:
        return None
    return (
        f"Grad-CAM, class {labels[scores.region_class]}: maps of its foreign cluster correlate by "
        f"{region.likeness:.2f}, of the others by {region.reference:.2f}; their largest tenth holds "
        f"{region.concentration:.2f} of them"
    )


@torch.inference_mode()
def _classes(model: nn.Module, data: Pictures, device: torch.device) -> int:
    mode = model.training
    model.eval()
    count = int(model(to_batch(data.images[:1], device)).shape[1])
    model.train(mode)
    return count
