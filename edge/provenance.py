"""Provenance: what the networks of a bundle were trained on and how, and by which sources the bundle was made.

It is carried over from the networks' own files. What these do not say is "unknown": a guess would look like a fact.
"""

import json
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, JsonValue

from edge.schema import Frozen, Grown, Line

UNKNOWN: Final = "unknown"


def _finite(values: dict[str, JsonValue]) -> dict[str, JsonValue]:
    # NaN is a number in Python's JSON alone: ValueError.
    if not json.dumps(values, allow_nan=False, ensure_ascii=False).isprintable():
        raise ValueError("words that cannot be printed")
    return values


_Values = Annotated[dict[str, JsonValue], AfterValidator(_finite)]


class Training(Frozen):
    """How one network came to be.

    Attributes:
        data: what it was trained on, in words; `UNKNOWN` where its file does not say.
        method: how, in words, likewise.
        natadv_version: that trained it, likewise.
        settings: all of its recipe; empty where its file has none.
        materials: what else its file says of its origin, as digests of data and of checkpoints that it began with.
    """

    data: Line
    method: Line
    natadv_version: Line
    settings: _Values
    materials: _Values


AuditState = Literal["planted", "suspicious", "unaudited", "audited"]


class Audit(Frozen):
    """Whether anybody looked for a backdoor in what the classifier was trained on.

    Attributes:
        state: `planted`: papers beside the data say that they were poisoned; `suspicious`: an inspection says so;
            `unaudited`: nobody looked, or it is not known at what; `audited`: nothing was found in any of the data.
        words: what is known, to follow "It was trained on".
    """

    state: AuditState
    words: Line


class Provenance(Grown):
    """Where a bundle comes from.

    Attributes:
        classifier: its training.
        rain: the tuning of RAIN's network; None: no RAIN.
        git_revision: of the natadv that exported, in hex, with "-dirty" where its sources differ from it; `UNKNOWN`
            where there is a repository and git cannot say; None where natadv was installed from a package.
        audit: of the classifier's data; None: a former version did not ask.
    """

    later: ClassVar = frozenset({"audit"})

    classifier: Training
    rain: Training | None
    git_revision: Line | None
    audit: Audit | None = None
