"""A bundle in words, for people and for programs."""

from typing import Any

from edge.bundle import Bundle
from edge.provenance import UNKNOWN


def described(bundle: Bundle, *, signed: bool) -> dict[str, Any]:
    """Return what a bundle says of itself, in the order that a person asks; plain values."""
    manifest = bundle.manifest
    metrics = manifest.metrics

    def rate(name: str) -> str | None:
        parts = [metrics.get(f"{name}{end}") for end in ("", "_low", "_high", "_images")]
        if None in parts:
            return None
        share, low, high, images = (part or 0.0 for part in parts)
        ends = f"[{100 * low:.1f}-{100 * high:.1f}]"
        return f"{100 * share:.1f} % {ends} of {images:.0f} images of {manifest.accuracy_data}"

    reduced = "" if manifest.precision == "fp32" else ", before it was reduced"
    robust, calibration = rate("robust"), None
    if "calibration_error" in metrics and "calibration_error_before" in metrics:
        errors = [100 * metrics[f"calibration_error{when}"] for when in ("", "_before")]
        calibration = f"temperature {manifest.temperature:.3g}: error {errors[0]:.1f} %, {errors[1]:.1f} without it"
        calibration += reduced
    noise = manifest.noise
    chance = None
    if noise is not None:
        parts = [f"a pixel of each 2x2 patch {noise.pick}"] if noise.pick else []
        parts += [f"a shift of up to {noise.reach[0]:g} x {noise.reach[1]:g} px"] if noise.reach else []
        chance = f"{' and '.join(parts)}, {noise.draws} time{'s' if noise.draws > 1 else ''} a frame"
    more = len(manifest.labels) > 5
    origin = manifest.provenance
    revision = "installed from a package" if origin.git_revision is None else f"git {origin.git_revision}"
    return {
        "model": manifest.model_name,
        "labels": f"{len(manifest.labels)}: {', '.join((*manifest.labels[:5], *(['...'] if more else [])))}",
        "input": f"{manifest.input.width}x{manifest.input.height} px, uint8 RGB",
        "accuracy": rate("accuracy"),
        "robust accuracy": None if robust is None else f"{robust}, under {manifest.attack} at 8/255",
        "trained on": origin.classifier.data,
        "trained": f"{origin.classifier.method} (natadv {origin.classifier.natadv_version})",
        "precision": manifest.precision,
        "calibration": calibration,
        "before reduction": rate("full_accuracy"),
        "behind RAIN": chance,
        "RAIN tuned on": None if origin.rain is None else origin.rain.data,
        "RAIN": None if origin.rain is None else origin.rain.method,
        "parity": (
            f"within {manifest.parity.max_difference:.1e} of the original on {manifest.parity.images} images"
            f" ({manifest.parity.tolerance:.0e} allowed){reduced}"
        ),
        "golden frames": len(bundle.golden.frames),
        "size": f"{len(bundle.model_bytes) / 1e6:.2f} MB, opset {manifest.opset}",
        "exported": f"{manifest.created.isoformat()} by natadv {manifest.versions.get('natadv', UNKNOWN)}, {revision}",
        "signature": "there; see `natadv export verify --public-key`" if signed else None,
        "model sha256": manifest.model_sha256,
        "checkpoint sha256": manifest.checkpoint_sha256,
        "RAIN sha256": manifest.rain_sha256,
        "versions": ", ".join(f"{name} {version}" for name, version in manifest.versions.items()),
    }
