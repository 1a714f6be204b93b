"""From a checkpoint to a bundle: export, compare, measure, write."""

import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle, check_name, pack, write_bundle
from edge.golden import Golden
from edge.manifest import ENOUGH_IMAGES, INPUT, RainNoise
from edge.provenance import Audit
from export.calibration import Calibration, calibrate
from export.card.gallery import gallery
from export.card.write import write_card
from export.detector import beside, described_detector, quality
from export.frames import noise_frames, pick, targets_in
from export.graph import DeployedClassifier
from export.judgement import Judged, attack, check_loss, judge
from export.onnx import OPSET, to_onnx
from export.parity import TOLERANCE, check_sizes, compare, difference, open_cpu, steady_noise
from export.plain import printable
from export.provenance import provenance_of
from export.reduce import Part, Precision, to_fp16, to_int8
from natadv.data.dataset import Dataset
from natadv.defenses.rain import Rain
from natadv.detection.checkpoint import LoadedDetector
from natadv.errors import BundleError, ConfigError
from natadv.training.checkpoint import LoadedClassifier
from natadv.training.rain.checkpoint import LoadedNetwork

GOLDEN_COUNT: Final = 8
CALIBRATION_COUNT: Final = 256
_BATCH: Final = 64
_REDUCED_TOLERANCE: Final = 2e-2  # of the largest logit, between two sizes of one frame in the same reduced model
_PACKAGES: Final = ("natadv", "torch", "timm", "onnx", "onnxscript", "onnxslim", "onnxruntime", "numpy")


@dataclass(frozen=True, slots=True)
class Reduction:
    """How an exported model is to be reduced.

    Attributes:
        precision: "fp16" or "int8".
        calibration: images that the ranges of activations are taken from, for 8 bits alone.
        part: what to reduce.
        symmetric: activations around zero, as TensorRT wants them.
        max_loss: of the accuracy and the robust accuracy, 0..1; more is refused.
    """

    precision: Precision
    calibration: Dataset | None = None
    part: Part = "all"
    symmetric: bool = False
    max_loss: float = 0.01


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle that was made, and how good the exported model is where data was given.

    Attributes:
        bundle: as written.
        judged: of the model in it.
        full: of the same before it was reduced; None where it was not.
    """

    bundle: Bundle
    judged: Judged | None
    full: Judged | None = None


def export_classifier(
    loaded: LoadedClassifier,
    folder: Path,
    *,
    dataset: Dataset | None = None,
    rain: LoadedNetwork | None = None,
    detector: LoadedDetector | None = None,
    draws: int = 1,
    any_size: bool = False,
    reduction: Reduction | None = None,
    robust_count: int = 0,
    audit: Audit | None = None,
    opset: int = OPSET,
    least_images: int = ENOUGH_IMAGES,
    tolerance: float = TOLERANCE,
    overwrite: bool = False,
) -> Exported:
    """Write a classifier as a bundle, unless the exported model answers differently from the original.

    The golden frames and the comparison use images of `dataset` where it is given; the comparison also uses
    noise, and the whole data set measures the accuracy of the exported model.

    Args:
        loaded: the classifier with its labels and input size.
        folder: name of the bundle.
        dataset: its labels must be among the classifier's.
        rain: RAIN's network, to put RAIN before the classifier.
        detector: of adversarial examples, to put beside it; it is not reduced.
        draws: passes through RAIN that are averaged for a frame.
        any_size: let the model take frames of any size, and resize them itself.
        reduction: to fewer bits; its loss is measured on `dataset`.
        robust_count: so many images of `dataset` are drawn and attacked, to measure the robust accuracy.
        audit: of the data that it was trained on; None asks the checkpoint, without verdicts beside its file.
        opset: of the model, 18 to 20.
        least_images: of `dataset`, to compare the two on; fewer are refused. It is compared on 256 where there are.
        tolerance: largest difference of a logit that passes, before any reduction.
        overwrite: replace a bundle of that name.

    Raises:
        ValueError: if a reduction to 8 bits has no images for its ranges.
        BundleError: if it cannot be exported, differs from the original, or loses too much when it is reduced.
        ConfigError: if the data has a label that the model lacks, the name is taken, RAIN was tuned for another
            classifier, the detector was trained on images of another size, or there is no data to measure a loss on or
            too little to compare on.
        ResourceError: if the disk is full.
    """
    check_name(folder, overwrite=overwrite)
    if reduction is not None and dataset is None:
        raise ConfigError("a reduction needs --data: what it loses is measured there")
    before = None if rain is None else _tuned_for(rain, loaded)
    places = None if dataset is None else targets_in(dataset, loaded.labels)
    _check_count(dataset, least_images)
    size = loaded.input_size
    rng = np.random.default_rng(0)  # the same golden frames for the same model and data
    uncalibrated = DeployedClassifier(loaded.model, rain=before, input_size=size, draws=draws)
    calibration = None if dataset is None or places is None else calibrate(uncalibrated, dataset, places, size, rng)
    temperature = 1.0 if calibration is None else calibration.temperature
    deployed = DeployedClassifier(
        loaded.model,
        rain=before,
        input_size=size,
        draws=draws,
        temperature=temperature,
        detector=None if detector is None else beside(detector, size),
        any_size=any_size,
    )
    sources = {"model_name": loaded.model_name, "checkpoint_sha256": loaded.digest}
    if rain is not None:
        sources |= {"rain_name": rain.name, "rain_sha256": rain.digest}
    if detector is not None:
        sources |= {"detector_name": detector.built.backbone, "detector_sha256": detector.digest}
    model_bytes = to_onnx(
        deployed,
        labels=loaded.labels,
        input_size=size,
        opset=opset,
        metadata=sources,
    )
    frames, real_count = noise_frames(2 * GOLDEN_COUNT, size, rng), 0
    if dataset is not None:
        real = pick(dataset, max(ENOUGH_IMAGES, least_images), rng).images(size)
        frames, real_count = np.concatenate([real, frames]), len(real)
    parts = np.array_split(frames, math.ceil(len(frames) / _BATCH))
    comparison = compare(deployed, model_bytes, parts, tolerance=tolerance)
    parity = comparison.parity.model_copy(update={"real_images": real_count})
    # Real images come first; with enough of them the golden frames are real images alone.
    chosen = np.linspace(0, max(GOLDEN_COUNT, len(frames) - 2 * GOLDEN_COUNT) - 1, GOLDEN_COUNT).astype(int)
    golden = Golden(
        frames[chosen], comparison.logits[chosen], {name: values[chosen] for name, values in comparison.noise.items()}
    )
    judged, full, attacked = None, None, None
    if dataset is not None and places is not None:
        if robust_count:
            attacked = attack(loaded.model.eval(), dataset, places, size, rain=before, count=robust_count)
            if attacked is None:
                raise BundleError(f"the model gets none of {robust_count} images of {dataset.name} right")
        judged = judge(model_bytes, dataset, places, size, noise=deployed.noise, attacked=attacked)
        if reduction is not None:
            model_bytes, full = _reduced(model_bytes, reduction, size, deployed.noise), judged
            judged = judge(model_bytes, dataset, places, size, noise=deployed.noise, attacked=attacked)
            check_loss(full, judged, reduction.max_loss)
            apart = difference(model_bytes, frames[:real_count], comparison)
            parity = parity.model_copy(update={"reduced_difference": apart})
            (logits,) = open_cpu(model_bytes).run(["logits"], golden.feed)
            golden = Golden(golden.frames, logits, golden.noise)
    if any_size:
        check_sizes(model_bytes, golden, tolerance if reduction is None else _REDUCED_TOLERANCE)
    pictures = None
    if dataset is not None and judged is not None:
        pictures = gallery(dataset, loaded.labels, judged, attacked=attacked, calibration=calibration, rng=rng)
    bundle = pack(
        model_bytes,
        golden,
        labels=loaded.labels,
        input_size=size,
        opset=opset,
        model_name=printable(loaded.model_name),
        checkpoint_sha256=loaded.digest,
        parity=parity,
        metrics=_metrics(loaded.metrics, judged, full, calibration) | ({} if detector is None else quality(detector)),
        accuracy_data=None if dataset is None else printable(f"{dataset.name} {dataset.split}"),
        provenance=provenance_of(loaded, rain, audit=audit),
        versions=versions(),
        card=lambda manifest: write_card(manifest, pictures),
        any_size=any_size,
        noise=deployed.noise,
        detector=None if detector is None else described_detector(detector),
        rain_sha256=None if rain is None else rain.digest,
        precision="fp32" if reduction is None else reduction.precision,
        reduced=None if reduction is None else reduction.part,
        attack=None if attacked is None else attacked.attack,
        temperature=temperature,
    )
    write_bundle(folder, bundle, overwrite=overwrite)
    return Exported(bundle, judged, full)


def _check_count(dataset: Dataset | None, least_images: int) -> None:
    """Refuse to compare on fewer real images than were asked for: noise lets errors pass that pictures show."""
    count = 0 if dataset is None else len(dataset)
    if count < least_images:
        given = "without --data there is no real image"
        if dataset is not None:
            given = f"--data {dataset.name} {dataset.split} has {count} real images"
        raise ConfigError(
            f"{given} to compare the exported model with its original on, expected at least {least_images};"
            f" name more, or allow that with --least-images {count}"
        )


def _reduced(model_bytes: bytes, reduction: Reduction, size: tuple[int, int], noise: RainNoise | None) -> bytes:
    if reduction.precision == "fp16":
        return to_fp16(model_bytes, part=reduction.part)
    if reduction.calibration is None:
        raise ValueError("expected images to take the ranges of 8-bit activations from, got none")
    rng, stream = np.random.default_rng(0), steady_noise(noise)
    frames = pick(reduction.calibration, CALIBRATION_COUNT, rng).images(size)
    feeds: list[dict[str, NDArray[Any]]] = [
        {INPUT: frames[start : start + _BATCH], **stream(start, len(frames[start : start + _BATCH]))}
        for start in range(0, len(frames), _BATCH)
    ]
    return to_int8(model_bytes, feeds, part=reduction.part, symmetric=reduction.symmetric)


def _tuned_for(network: LoadedNetwork, loaded: LoadedClassifier) -> Rain:
    """Return RAIN as it was tuned, for this very classifier: before another one it loses accuracy unmeasured."""
    tuned_for = network.provenance.get("classifier")
    if tuned_for is None:
        raise ConfigError("--rain: this network was tuned for no classifier; tune it with `natadv train rain`")
    if loaded.digest[:12] not in tuned_for:
        raise ConfigError(f"--rain: this network was tuned for {tuned_for}, not for sha256 {loaded.digest[:12]}")
    return network.rain()


def versions() -> dict[str, str]:
    """Return the versions of what takes part in an export."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # another build of it, as onnxruntime-gpu, or a bare checkout
            continue
    return found


def _metrics(
    trained: Mapping[str, Any], judged: Judged | None, full: Judged | None, calibration: Calibration | None
) -> dict[str, float]:
    """Return the training's own numbers, and the exported model's; `full_` is before it was reduced."""
    numbers = {
        f"checkpoint_{name}": float(value)
        for name, value in trained.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    }
    for prefix, found in (("", judged), ("full_", full)):
        for name, answers in () if found is None else (("accuracy", found.clean), ("robust", found.attacked)):
            if answers is not None and len(answers.places):
                rate = answers.rate
                low, high = rate.interval
                title = f"{prefix}{name}"
                numbers |= {title: rate.value, f"{title}_low": low, f"{title}_high": high}
                numbers[f"{title}_images"] = float(rate.total)
                if answers.kin is not None:
                    numbers[f"{title}_kin"] = float(answers.kin)
    if calibration is not None:
        numbers |= {"calibration_error": calibration.error, "calibration_error_before": calibration.error_before}
        numbers["calibration_images"] = float(calibration.images)
    return numbers
