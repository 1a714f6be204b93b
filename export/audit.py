"""The audit of a classifier's training data: what a bundle says of backdoors that may have come with them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.provenance import Audit, AuditState
from export.plain import printable, without_home
from natadv.training.checkpoint import LoadedClassifier
from natadv.training.inspected import Inspected
from natadv.training.lineage import LearntFrom, read_lineage


def audit_of(loaded: LoadedClassifier, checkpoint: Path | None = None) -> Audit:
    """Return what is known of the data that a checkpoint learnt from; the worst of them has the word.

    Args:
        loaded: the checkpoint.
        checkpoint: its file, beside which verdicts may lie; None leaves them out.

    Raises:
        DataError: if its lineage or the verdicts cannot be read.
    """
    lineage = read_lineage(loaded, checkpoint)
    since = "; it was repaired since, which does not prove that the backdoor is gone"
    for state, said in _faults(lineage):
        repaired = state != "unaudited" and "repair" in loaded.provenance
        return Audit(state=state, words=printable(said + (since if repaired else "")))
    return Audit(state="audited", words=printable(_found_nothing(lineage) + _hits(loaded)))


def _faults(lineage: Sequence[LearntFrom]) -> Iterator[tuple[AuditState, str]]:
    """Yield what is wrong with the data, the worst first."""
    for one in lineage:
        if one.planted is not None:
            yield (
                "planted",
                f"PLANTED data: {one.planted.poisoned} of {one.planted.images} images of {_name(one)} have the trigger"
                f" {one.planted.trigger} and the label {one.planted.target}{_seen(one.verdict)}",
            )
    for one in lineage:
        if one.verdict is not None and one.verdict.suspicious:
            yield (
                "suspicious",
                f"data that seem poisoned towards {one.verdict.target}: {_name(one)}; {one.verdict.errors}",
            )
    for one in lineage:
        if one.elsewhere is not None:
            towards = f"a model that seems to lead to {one.elsewhere.target}"
            yield "suspicious", f"{towards}, asked with other pictures than it learnt from; {one.elsewhere.errors}"
    if weak := [one for one in lineage if one.verdict is not None and not one.verdict.clean and not one.drawn]:
        yield (
            "unaudited",
            f"data inspected for backdoors without clean images, by which most are missed: {_names(weak)}",
        )
    for one in lineage:
        if one.verdict is not None and one.verdict.reservation is not None and not one.drawn:
            yield "unaudited", f"data inspected for backdoors, {_name(one)}, but {one.verdict.reservation}"
    if unseen := [one for one in lineage if one.verdict is None and not one.drawn]:
        yield "unaudited", f"data not audited for backdoors: {_names(unseen)}"


def _seen(verdict: Inspected | None) -> str:
    """Return what an inspection said of data that are known to be planted, by this model or one that it comes from."""
    if verdict is None:
        return ""
    said = f"seems to lead to {verdict.target}" if verdict.suspicious else "shows nothing suspicious"
    return f"; a model that learnt from them, inspected, {said}; {verdict.errors}"


def _found_nothing(lineage: Sequence[LearntFrom]) -> str:
    seen = [(one, one.verdict) for one in lineage if one.verdict is not None]
    if not seen:
        return "pictures that natadv drew itself"
    names = _names([one for one, _ in seen])
    return f"data inspected for backdoors, {names}: nothing suspicious was found; {seen[0][1].errors}"


def _hits(loaded: LoadedClassifier) -> str:
    """Hits are recorded by who trains, at the rig or by a device; no inspection looks at them."""
    images = sum(int(hits.get("images", 0)) for hits in loaded.provenance.get("hits", ()))
    return f"; {images} recorded hits that it learnt from too were not inspected" if images else ""


def _names(some: Sequence[LearntFrom]) -> str:
    return ", ".join(dict.fromkeys(_name(one) for one in some))


def _name(one: LearntFrom) -> str:
    return without_home(one.data)
