"""What a model is for and where its measured numbers end, in plain words from its manifest."""

from edge.manifest import ENOUGH_IMAGES, Manifest

_DROPS = ("raindrops", "advrd", "hits")
"""Settings of a recipe that show drops on glass to the classifier."""


def attack_in_words(manifest: Manifest) -> str | None:
    """Return what the attacked images were attacked with; None: no attack."""
    if manifest.attack is None:
        return None
    through = " through the mean of several of RAIN's passes" if manifest.attack.startswith("eot-") else ""
    return (
        f"{manifest.attack}, gradient descent by one who knows the whole model{through};"
        " no colour value changed by more than 8 of 255"
    )


def intended(manifest: Manifest) -> list[str]:
    """Return what the model is for."""
    measured = manifest.accuracy_data
    like = f"images like those of {measured}" if measured else "images like those that it was trained on"
    return [
        f"Tell which of {len(manifest.labels)} classes an image shows, for {like}, cropped as they are there.",
        "Study of natural adversarial examples, above all of drops on the glass before a camera, and of defences.",
    ]


def limits(manifest: Manifest) -> list[str]:
    """Return what the model's numbers do not say, and what it must not be used for."""
    found = [
        "Not for decisions of safety alone: where an error can hurt somebody, another safeguard must catch it.",
        "It always answers with one of its classes, also for an image of nothing that it knows.",
    ]
    if manifest.accuracy_data is None:
        found.append("Nothing was measured: it was exported without data. How good it is is not known here.")
    else:
        found.append(
            f"Its accuracy is that on {manifest.accuracy_data}. Another camera, light or weather, or signs, scenes and"
            " crops of another kind, may give another one."
        )
        if manifest.accuracy_data.endswith(" train"):
            found.append("It was measured on training images; of others it may get fewer right.")
        found.append(_robustness(manifest))
    found.extend(_compared(manifest))
    if manifest.provenance.audit is None:
        found.append("Whether its training data were audited for backdoors is unknown.")
    else:
        found.append(f"It was trained on {manifest.provenance.audit.words}.")
    found.append(_drops(manifest))
    if manifest.noise is not None:
        found.append("It is randomised: the same image may get another answer the next time.")
    if manifest.detector is not None:
        found.append(
            "Its detector knows what it was trained on; it may miss adversarial examples of another kind, and one who"
            " knows the detector can make some that it misses. Its false alarms are those on images like its bank's."
        )
    if "calibration_error" in manifest.metrics:
        found.append(f"How sure it is was calibrated on {manifest.accuracy_data}, and holds for images like those.")
    else:
        found.append("How sure it says it is was not calibrated: 90 % may mean more or less than nine in ten.")
    return found


def _compared(manifest: Manifest) -> list[str]:
    real = manifest.parity.real_images
    if real is None or real >= ENOUGH_IMAGES:
        return []
    if not real:
        return ["It was not compared on real images with the model that it was made of, only on noise."]
    return [
        f"It was compared with the model that it was made of on {real} real images alone, fewer than the"
        f" {ENOUGH_IMAGES} that show whether the two answer alike."
    ]


def _robustness(manifest: Manifest) -> str:
    if manifest.attack is None:
        return "It was not attacked: nothing is known here of how it stands up to attacks."
    reduced = "" if manifest.precision == "fp32" else " It was made against the model before that was reduced."
    return (
        f"Its robust accuracy is against the attack {manifest.attack} at 8/255 alone, on images that the bare"
        " classifier gets right. A stronger or another attack, a larger change, a patch or a drop, may do worse."
        f"{reduced}"
    )


def _drops(manifest: Manifest) -> str:
    training = manifest.provenance.classifier
    recorded = "How often drops on glass fool it is not measured here; natadv capture records and counts that."
    if not training.settings:
        return f"Whether it was trained with drops on glass is unknown. {recorded}"
    audit = manifest.provenance.audit
    if audit is not None and audit.state == "planted":
        return f"Its training showed it images with a trigger, see its backdoor audit, which may be drops. {recorded}"
    if any(training.settings.get(name) for name in _DROPS):
        return f"It was trained with drops on glass, which makes them fool it less often, not never. {recorded}"
    if training.materials.get("init_sha256"):
        return f"Its last training showed it no drops on glass; the one before is not told here. {recorded}"
    return f"Its training showed it no drops on glass. {recorded}"
