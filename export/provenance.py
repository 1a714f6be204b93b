"""What the files of trained networks say of their origin, as a bundle carries it."""

from collections.abc import Mapping
from typing import Any

from edge.provenance import UNKNOWN, Audit, Provenance, Training
from export.audit import audit_of
from export.plain import plain_values, printable, without_home
from export.revision import git_revision
from natadv.detection.checkpoint import LoadedDetector
from natadv.training.checkpoint import LoadedClassifier
from natadv.training.rain.checkpoint import LoadedNetwork


def provenance_of(
    loaded: LoadedClassifier, rain: LoadedNetwork | None = None, *, audit: Audit | None = None
) -> Provenance:
    """Return where a classifier, and RAIN's network before it, come from, and the revision of the natadv that runs.

    Args:
        loaded: the classifier.
        rain: RAIN's network.
        audit: of the classifier's data, with the verdicts beside its file; None asks the checkpoint alone.
    """
    return Provenance(
        classifier=_classifier(loaded),
        rain=None if rain is None else _rain(rain),
        git_revision=git_revision(),
        audit=audit or audit_of(loaded),
    )


def _classifier(loaded: LoadedClassifier) -> Training:
    papers = loaded.provenance
    data = str(papers.get("data") or UNKNOWN)
    if "train_images" in papers:
        held_out = papers.get("test_images")
        data += f": {papers['train_images']} images" + (f", {held_out} more held out" if held_out else "")
    return _training(data, _how_trained(loaded), loaded.recipe, papers)


def _rain(network: LoadedNetwork) -> Training:
    data = str(network.provenance.get("pictures") or UNKNOWN)
    return _training(data, _how_tuned(network), network.recipe, network.provenance)


def detector_of(detector: LoadedDetector) -> Training:
    """Return what a detector was trained on and how."""
    papers, recipe = detector.provenance, detector.recipe
    kinds = papers.get("kinds")
    counted = [f"{count} {kind}" for kind, count in kinds.items()] if isinstance(kinds, Mapping) else []
    data = f"{papers.get('bank') or UNKNOWN}, of {without_home(str(papers.get('data') or UNKNOWN))}"
    data += f": images {', '.join(counted)}" if counted else ""
    ways = "a class for each kind" if recipe.get("n_plus_one") else "clean or adversarial"
    method = f"{detector.built.backbone}, {_number(recipe, 'epochs')} epochs, {ways}"
    if detector.built.frozen:
        method += f", {100 * detector.built.frozen:.0f} % of its convolutions frozen"
    return _training(data, method, recipe, papers)


def _training(data: str, method: str, recipe: Mapping[str, Any], papers: Mapping[str, Any]) -> Training:
    versions = papers.get("versions")
    version = versions.get("natadv", UNKNOWN) if isinstance(versions, Mapping) else UNKNOWN
    return Training(
        data=without_home(printable(data)),
        method=printable(method),
        natadv_version=printable(str(version)),
        settings=plain_values(recipe),
        materials=plain_values(papers),
    )


def _how_repaired(repair: Mapping[str, Any], initial: str) -> str:
    pruned = f"its {repair['prune']} pruned, then " if repair.get("prune") else ""
    tuned = f"fine-tuned for {_number(repair, 'epochs')} epochs at {_number(repair, 'learning_rate')}"
    return f"repaired of a backdoor, {pruned}{tuned}, from the checkpoint sha256 {initial[:12]}"


def _how_trained(loaded: LoadedClassifier) -> str:
    """Say in words what a recipe of `natadv.training.recipe` asked for, and how much of it was done.

    A setting that it lacks was not there yet.
    """
    recipe, papers = loaded.recipe, loaded.provenance
    if isinstance(papers.get("repair"), Mapping):
        return _how_repaired(papers["repair"], str(papers.get("init_sha256") or UNKNOWN))
    if not recipe:
        return UNKNOWN
    if papers.get("init_sha256"):
        start = f"from the checkpoint sha256 {str(papers['init_sha256'])[:12]}"
    elif recipe.get("pretrained"):
        start = "from timm's pretrained weights"
    else:
        start = "from random weights" if "init_sha256" in papers else "from weights unknown"
    said = [f"{_amount(recipe, 'epochs', loaded.unfinished)} {start}"]
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
        f"{network.name}, tuned for {_amount(recipe, 'steps', network.unfinished)} towards {aim};"
        f" {recipe.get('order', UNKNOWN)}, share {_number(recipe, 'share')}"
        f"{', a pixel a channel' if recipe.get('per_channel') else ''}"
    )


def _amount(recipe: Mapping[str, Any], units: str, unfinished: tuple[int, int] | None) -> str:
    """Return how long a training was; one in its middle has not done what its recipe asks for."""
    if unfinished is None:
        return f"{_number(recipe, units)} {units}"
    return f"{unfinished[0]} of {_number(recipe, units)} {units}, unfinished,"


def _number(recipe: Mapping[str, Any], name: str) -> str:
    value = recipe.get(name)
    return f"{value:g}" if isinstance(value, (int, float)) else UNKNOWN


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
