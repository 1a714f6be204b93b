"""A bundle in words, for people and for programs."""

from typing import Any

from edge.bundle import Bundle


def described(bundle: Bundle, *, signed: bool) -> dict[str, Any]:
    """Return what a bundle says of itself, in the order that a person asks; plain values."""
    manifest = bundle.manifest
    metrics = manifest.metrics
    accuracy = None
    if {"accuracy", "accuracy_low", "accuracy_high", "accuracy_images"} <= set(metrics):
        share, low, high = (100 * metrics[name] for name in ("accuracy", "accuracy_low", "accuracy_high"))
        images = f"{metrics['accuracy_images']:.0f} images of {manifest.accuracy_data}"
        accuracy = f"{share:.1f} % [{low:.1f}-{high:.1f}] of {images}"
    noise = manifest.noise
    chance = None
    if noise is not None:
        parts = [f"a pixel of each 2x2 patch {noise.pick}"] if noise.pick else []
        parts += [f"a shift of up to {noise.reach[0]:g} x {noise.reach[1]:g} px"] if noise.reach else []
        chance = f"{' and '.join(parts)}, {noise.draws} time{'s' if noise.draws > 1 else ''} a frame"
    more = len(manifest.labels) > 5
    return {
        "model": manifest.model_name,
        "labels": f"{len(manifest.labels)}: {', '.join((*manifest.labels[:5], *(['...'] if more else [])))}",
        "input": f"{manifest.input.width}x{manifest.input.height} px, uint8 RGB",
        "accuracy": accuracy,
        "behind RAIN": chance,
        "parity": (
            f"within {manifest.parity.max_difference:.1e} of the original on {manifest.parity.images} images"
            f" ({manifest.parity.tolerance:.0e} allowed)"
        ),
        "golden frames": len(bundle.golden.frames),
        "size": f"{len(bundle.model_bytes) / 1e6:.2f} MB, opset {manifest.opset}",
        "made": manifest.created.isoformat(),
        "signature": "there; see `natadv export verify --public-key`" if signed else None,
        "model sha256": manifest.model_sha256,
        "checkpoint sha256": manifest.checkpoint_sha256,
        "RAIN sha256": manifest.rain_sha256,
        "versions": ", ".join(f"{name} {version}" for name, version in manifest.versions.items()),
    }
