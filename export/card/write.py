"""The two files of a model card, of one manifest: a page, and its text.

The page holds everything itself, pictures too, runs no script and asks for nothing from anywhere. Names in it, as those
of classes, are somebody's words and are escaped.
"""

import json
from importlib.resources import files
from typing import Any, Final

import jinja2
from markupsafe import Markup

from edge.bundle import CARD_HTML, CARD_MD, Card
from edge.manifest import Manifest
from edge.provenance import Training
from export.card.gallery import AMPLIFIED, Gallery
from export.card.limits import attack_in_words, intended, limits
from export.description import (
    agreement_in_words,
    detector_in_words,
    measured,
    noise_in_words,
    precision_in_words,
    revision_in_words,
)

_MARKED: Final = "\\`*_[]<>|#~"
"""What Markdown takes for more than a letter."""


def write_card(manifest: Manifest, gallery: Gallery | None) -> Card:
    """Return the card of a bundle.

    Args:
        manifest: of the bundle; its digests of the card are not looked at.
        gallery: pictures; None: no data was given.
    """
    facts = _facts(manifest, gallery)
    return Card(_render(CARD_HTML, facts, page=True), _render(CARD_MD, facts, page=False))


def _facts(manifest: Manifest, gallery: Gallery | None) -> dict[str, Any]:
    origin = manifest.provenance
    networks: list[tuple[str, Training, str | None]] = [("Classifier", origin.classifier, manifest.checkpoint_sha256)]
    if origin.rain is not None:
        networks.append(("RAIN", origin.rain, manifest.rain_sha256))
    if manifest.detector is not None and manifest.detector.training is not None:
        networks.append(("Detector", manifest.detector.training, manifest.detector.checkpoint_sha256))
    return {
        "manifest": manifest,
        "data": manifest.accuracy_data,
        "accuracy": measured(manifest, "accuracy"),
        "robust": measured(manifest, "robust"),
        "full_accuracy": measured(manifest, "full_accuracy"),
        "full_robust": measured(manifest, "full_robust"),
        "metrics": manifest.metrics,
        "attack": attack_in_words(manifest),
        "agreement": agreement_in_words(manifest),
        "precision": precision_in_words(manifest),
        "noise": noise_in_words(manifest),
        "detector": detector_in_words(manifest),
        "revision": revision_in_words(manifest),
        "networks": networks,
        "gallery": gallery,
        "amplified": AMPLIFIED,
        "intended": intended(manifest),
        "limits": limits(manifest),
    }


def _render(name: str, facts: dict[str, Any], *, page: bool) -> bytes:
    environment = jinja2.Environment(
        autoescape=page,
        finalize=None if page else _escaped,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"percent": _percent, "sure": _sure, "pretty": _pretty}
    template = environment.from_string(files("export.card").joinpath(name).read_text(encoding="utf-8"))
    return template.render(facts).encode()


def _escaped(value: object) -> object:
    """Return a value as Markdown shows it letter by letter; what a template calls safe stays."""
    if isinstance(value, Markup):
        return value
    return "".join(f"\\{letter}" if letter in _MARKED else letter for letter in str(value))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _sure(confidence: float) -> str:
    """Return a confidence in whole percents, none of them claiming certainty."""
    return ">99 %" if confidence > 0.995 else f"{100 * confidence:.0f} %"


def _pretty(values: object) -> str:
    return json.dumps(values, indent=1, ensure_ascii=False)
