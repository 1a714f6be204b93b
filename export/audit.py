"""The audit of a classifier's training data: what a bundle says of backdoors that may have come with them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from edge.provenance import Audit
from export.plain import printable, without_home
from natadv.training.checkpoint import LoadedClassifier
from natadv.training.inspected import Inspected, read_verdicts
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
    repaired = "; it was repaired since, which does not prove that the backdoor is gone"
    for one in lineage:
        if one.planted is not None:
            said = (
                f"PLANTED data: {one.planted.poisoned} of {one.planted.images} images of {_name(one)} have the trigger"
                f" {one.planted.trigger} and the label {one.planted.target}"
            )
            said += repaired if "repair" in loaded.provenance else ""
            return Audit(state="planted", words=printable(said))
    for one in lineage:
        if one.verdict is not None and one.verdict.suspicious:
            said = f"data that seem poisoned towards {one.verdict.target}: {_name(one)}; {one.verdict.errors}"
            return Audit(state="suspicious", words=printable(said))
    for suspicion in _elsewhere(loaded, checkpoint, lineage):
        said = f"a model that seems to lead to {suspicion.target}, asked with other pictures than it learnt from"
        return Audit(state="suspicious", words=printable(f"{said}; {suspicion.errors}"))
    weak = [one for one in lineage if one.verdict is not None and not one.verdict.clean and not one.drawn]
    if weak:
        said = f"data inspected for backdoors without clean images, by which most are missed: {_names(weak)}"
        return Audit(state="unaudited", words=printable(said))
    unseen = [one for one in lineage if one.verdict is None and not one.drawn]
    if unseen:
        return Audit(state="unaudited", words=printable(f"data not audited for backdoors: {_names(unseen)}"))
    return Audit(state="audited", words=printable(_found_nothing(lineage) + _hits(loaded)))


def _elsewhere(loaded: LoadedClassifier, checkpoint: Path | None, lineage: Sequence[LearntFrom]) -> Iterator[Inspected]:
    """Yield suspicions of the checkpoint by pictures that it does not say to have learnt from."""
    if checkpoint is not None:
        known = {one.sha256 for one in lineage}
        for verdict in read_verdicts(checkpoint, loaded.digest).values():
            if verdict.suspicious and verdict.data_sha256 not in known:
                yield verdict


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
