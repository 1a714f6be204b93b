"""What the files of trained networks say of their origin, as a bundle carries it."""

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath, PurePosixPath, PureWindowsPath
from typing import Any

from pydantic import JsonValue

from edge.provenance import UNKNOWN, Provenance, Training
from export.revision import git_revision
from natadv.training.checkpoint import LoadedClassifier
from natadv.training.rain.checkpoint import LoadedNetwork


def provenance_of(loaded: LoadedClassifier, rain: LoadedNetwork | None = None) -> Provenance:
    """Return where a classifier, and RAIN's network before it, come from, and the revision of the natadv that runs."""
    return Provenance(
        classifier=_classifier(loaded),
        rain=None if rain is None else _rain(rain),
        git_revision=git_revision(),
    )


def _classifier(loaded: LoadedClassifier) -> Training:
    papers = loaded.provenance
    data = str(papers.get("data") or UNKNOWN)
    if "train_images" in papers:
        held_out = papers.get("test_images")
        data += f": {papers['train_images']} images" + (f", {held_out} more held out" if held_out else "")
    return _training(data, _how_trained(loaded.recipe, papers), loaded.recipe, papers)


def _rain(network: LoadedNetwork) -> Training:
    data = str(network.provenance.get("pictures") or UNKNOWN)
    return _training(data, _how_tuned(network), network.recipe, network.provenance)


def _training(data: str, method: str, recipe: Mapping[str, Any], papers: Mapping[str, Any]) -> Training:
    versions = papers.get("versions")
    version = versions.get("natadv", UNKNOWN) if isinstance(versions, Mapping) else UNKNOWN
    return Training(
        data=_without_home(_line(data)),
        method=_line(method),
        natadv_version=_line(str(version)),
        settings=plain_values(recipe),
        materials=plain_values(papers),
    )


def _how_trained(recipe: Mapping[str, Any], papers: Mapping[str, Any]) -> str:
    """Say in words what a recipe of `natadv.training.recipe` asked for; a setting that it lacks was not there yet."""
    if not recipe:
        return UNKNOWN
    if papers.get("init_sha256"):
        start = f"from the checkpoint sha256 {str(papers['init_sha256'])[:12]}"
    elif recipe.get("pretrained"):
        start = "from timm's pretrained weights"
    else:
        start = "from random weights" if "init_sha256" in papers else "from weights unknown"
    said = [f"{_number(recipe, 'epochs')} epochs {start}"]
    if recipe.get("pgd"):
        said.append(
            f"adversarial training by PGD: {_percent(recipe['pgd'])} of the pictures,"
            f" {_number(recipe, 'epsilon')}/255, {_number(recipe, 'pgd_steps')} steps"
        )
    if recipe.get("advrd"):
        drops = ", ".join(map(str, papers.get("generators") or recipe.get("generators") or [UNKNOWN]))
        said.append(
            f"adversarial training by AdvRD: {_percent(recipe['advrd'])} of the pictures, drops by {drops},"
            f" {_number(recipe, 'attack_steps')} steps"
        )
    if not recipe.get("pgd") and not recipe.get("advrd"):
        said.append("no adversarial training" + (" in this run" if papers.get("init_sha256") else ""))
    if recipe.get("raindrops"):
        said.append(f"{_percent(recipe['raindrops'])} of the pictures seen through simulated wet glass")
    if papers.get("hits"):
        images = sum(int(hits.get("images", 0)) for hits in papers["hits"])
        said.append(f"with {images} recorded hits of {len(papers['hits'])} folders")
    if papers.get("blend"):
        said.append(f"its weights blended with its ancestor's, {_percent(papers['blend']['share'])} of them")
    return "; ".join(said)


def _how_tuned(network: LoadedNetwork) -> str:
    recipe = network.recipe
    if not recipe:
        return f"{network.name}, tuned in a way {UNKNOWN}"
    aims = {"answer": "the classifier's own answers", "label": "the true labels"}
    aim = aims.get(str(recipe.get("aim")), f"an aim {UNKNOWN}")
    return (
        f"{network.name}, tuned for {_number(recipe, 'steps')} steps towards {aim};"
        f" {recipe.get('order', UNKNOWN)}, share {_number(recipe, 'share')}"
        f"{', a pixel a channel' if recipe.get('per_channel') else ''}"
    )


def plain_values(values: Mapping[str, Any]) -> dict[str, JsonValue]:
    """Return a mapping as JSON values.

    Bundles travel, homes do not: of an absolute path its last name is kept, after "...".
    """
    return {_line(str(key)): _plain(value) for key, value in values.items()}


def _plain(value: Any) -> JsonValue:
    if isinstance(value, Mapping):
        return plain_values(value)
    if isinstance(value, (str, PurePath)):
        return _without_home(_line(str(value)))
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Sequence):
        return [_plain(one) for one in value]
    return _line(str(value))


def _without_home(text: str) -> str:
    for kind in (PurePosixPath, PureWindowsPath):
        if kind(text).is_absolute() or text.startswith("~"):
            return f".../{kind(text).name}"
    return text


def _line(text: str) -> str:
    """Return text with what cannot be printed written out, as in Python."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def _number(recipe: Mapping[str, Any], name: str) -> str:
    value = recipe.get(name)
    return f"{value:g}" if isinstance(value, (int, float)) else UNKNOWN


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
