"""A bundle in words, for people and for programs."""

from dataclasses import dataclass
from typing import Any

from edge.bundle import Bundle
from edge.manifest import ENOUGH_IMAGES, Manifest
from edge.provenance import UNKNOWN


@dataclass(frozen=True, slots=True)
class Share:
    """A share of images as a manifest has it, with its 95 % interval; all 0..1.

    Attributes:
        kin: what the images are of, so many things, where these are fewer and the interval counts them; else None.
    """

    value: float
    low: float
    high: float
    images: int
    kin: int | None = None


def measured(manifest: Manifest, name: str) -> Share | None:
    """Return a share of the manifest's metrics by its name, as "accuracy" or "full_robust"; None: not measured."""
    found = [manifest.metrics.get(f"{name}{end}") for end in ("", "_low", "_high", "_images")]
    value, low, high, images = found
    if value is None or low is None or high is None or images is None:
        return None
    kin = manifest.metrics.get(f"{name}_kin")
    return Share(value, low, high, round(images), None if kin is None else round(kin))


def noise_in_words(manifest: Manifest) -> str | None:
    """Return what chance a model behind RAIN takes for a frame; None: no RAIN."""
    noise = manifest.noise
    if noise is None:
        return None
    parts = [f"a pixel of each 2x2 patch {noise.pick}"] if noise.pick else []
    parts += [f"a shift of up to {noise.reach[0]:g} x {noise.reach[1]:g} px"] if noise.reach else []
    return f"{' and '.join(parts)}, {noise.draws} time{'s' if noise.draws > 1 else ''} a frame"


def detector_in_words(manifest: Manifest) -> str | None:
    """Return what calls frames adversarial, from when on, and how good it is; None: nothing does."""
    detector = manifest.detector
    if detector is None:
        return None
    found = f"calls above {detector.threshold:.4g}, chosen for {100 * detector.false_alarms:g} % false alarms"
    area, above = measured(manifest, "detector_auc"), measured(manifest, "detector_false_alarms")
    if above is not None and above.kin is not None:
        found += " on what it has not seen"
    if above is not None:
        things = "" if above.kin is None else f", of {above.kin} sources,"
        found += f" ({_in_percent(above)} of {above.images} clean images{things} held back)"
    if area is not None:
        found += f"; AUC {_in_percent(area)} on {area.images} images held back"
    return found


def agreement_in_words(manifest: Manifest) -> str:
    """Return how far the model's logits were from the original's, on what, and how far they are since a reduction."""
    parity = manifest.parity
    within = f"logits within {parity.max_difference:.1e} of the original's on"
    if parity.real_images is None:
        found = f"{within} {parity.images} images"
    elif not parity.real_images:
        found = f"not compared on real images; {within} {parity.images} frames of noise"
    else:
        few = f" ({ENOUGH_IMAGES} are asked for)" if parity.real_images < ENOUGH_IMAGES else ""
        noise = parity.images - parity.real_images
        found = f"{within} {parity.real_images} real images{few} and {noise} frames of noise"
    found += f" ({parity.tolerance:.0e} allowed)"
    if manifest.precision != "fp32":
        found += ", before it was reduced"
    if parity.reduced_difference is not None:
        found += f"; since then within {parity.reduced_difference:.1e} on the real ones"
    return found


def precision_in_words(manifest: Manifest) -> str:
    """Return the precision, and of which part of the model alone it is."""
    part = {"classifier": ", of the classifier alone", "rain": ", of RAIN's network alone"}
    return f"{manifest.precision}{part.get(manifest.reduced or 'all', '')}"


def revision_in_words(manifest: Manifest) -> str:
    """Return which natadv made a bundle."""
    revision = manifest.provenance.git_revision
    where = "installed from a package" if revision is None else f"git {revision}"
    return f"natadv {manifest.versions.get('natadv', UNKNOWN)}, {where}"


def _in_percent(share: Share) -> str:
    return f"{100 * share.value:.1f} % [{100 * share.low:.1f}-{100 * share.high:.1f}]"


def described(bundle: Bundle, *, signed: bool) -> dict[str, Any]:
    """Return what a bundle says of itself, in the order that a person asks; plain values."""
    manifest = bundle.manifest
    metrics, origin, detector = manifest.metrics, manifest.provenance, manifest.detector

    def rate(name: str) -> str | None:
        found = measured(manifest, name)
        if found is None:
            return None
        things = "" if found.kin is None else f" of {found.kin} things"
        return f"{_in_percent(found)} of {found.images} images{things} of {manifest.accuracy_data}"

    reduced = "" if manifest.precision == "fp32" else ", before it was reduced"
    robust, calibration = rate("robust"), None
    if "calibration_error" in metrics and "calibration_error_before" in metrics:
        errors = [100 * metrics[f"calibration_error{when}"] for when in ("", "_before")]
        calibration = (
            f"error {errors[0]:.1f} %; no temperature, as the one that was fitted did not lower it"
            if manifest.temperature == 1
            else f"temperature {manifest.temperature:.3g}: error {errors[0]:.1f} %, {errors[1]:.1f} without it"
        )
        calibration += reduced
    more = len(manifest.labels) > 5
    return {
        "model": manifest.model_name,
        "labels": f"{len(manifest.labels)}: {', '.join((*manifest.labels[:5], *(['...'] if more else [])))}",
        "input": f"{manifest.input.width}x{manifest.input.height} px, uint8 RGB"
        f"{', made of frames of any size' if manifest.any_size else ''}",
        "accuracy": rate("accuracy"),
        "robust accuracy": None if robust is None else f"{robust}, under {manifest.attack} at 8/255",
        "trained on": origin.classifier.data,
        "trained": f"{origin.classifier.method} (natadv {origin.classifier.natadv_version})",
        "backdoor audit": None if origin.audit is None else f"{origin.audit.state}: trained on {origin.audit.words}",
        "precision": precision_in_words(manifest),
        "calibration": calibration,
        "before reduction": rate("full_accuracy"),
        "robust before": rate("full_robust"),
        "behind RAIN": noise_in_words(manifest),
        "RAIN tuned on": None if origin.rain is None else origin.rain.data,
        "RAIN": None if origin.rain is None else origin.rain.method,
        "detector": detector_in_words(manifest),
        "detector data": None if detector is None or detector.training is None else detector.training.data,
        "parity": agreement_in_words(manifest),
        "golden frames": len(bundle.golden.frames),
        "size": f"{len(bundle.model_bytes) / 1e6:.2f} MB, opset {manifest.opset}",
        "exported": f"{manifest.created.isoformat()} by {revision_in_words(manifest)}",
        "signature": "there; see `natadv export verify --public-key`" if signed else None,
        "model sha256": manifest.model_sha256,
        "checkpoint sha256": manifest.checkpoint_sha256,
        "RAIN sha256": manifest.rain_sha256,
        "detector sha256": None if detector is None else detector.checkpoint_sha256,
        "versions": ", ".join(f"{name} {version}" for name, version in manifest.versions.items()),
    }
