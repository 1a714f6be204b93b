"""Verdicts: what `natadv backdoor inspect` said of a checkpoint and of data, in a file beside the checkpoint.

A verdict is bound to the sha256 of both, so that neither another checkpoint of that name nor data that were changed
since have it. It is a statement of who ran the inspection, not a proof: who can write the file can write another.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from natadv.durable import replace_file
from natadv.errors import DataError
from natadv.lock import held

ENDING = ".inspection.json"
_WAIT_S = 30.0  # to write a verdict takes milliseconds, on a busy disk seconds
_Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Inspected(BaseModel):
    """One verdict.

    Attributes:
        checkpoint_sha256: of the file that was inspected.
        data_sha256: of the training pictures, as `natadv.training.lineage.pictures_sha256` has it.
        suspicious: whether a backdoor seems to be there.
        target: label that it leads to, as it seems; None if not suspicious.
        errors: how often such a verdict is wrong, in words.
        clean: whether it had clean pictures to go by; without them most backdoors are missed.
        reservation: why its error rates may not hold, in words; None where nothing says so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoint_sha256: _Digest
    data_sha256: _Digest
    suspicious: bool
    target: str | None
    errors: str
    clean: bool = False  # files that do not say so were written before it was asked
    reservation: str | None = None

    @property
    def word(self) -> int:
        """Which stands, of several on the same data: suspicion before none, clean pictures before none, then no BUT."""
        return 4 * self.suspicious + 2 * self.clean + (self.reservation is None)


def weightier(one: Inspected | None, other: Inspected | None) -> Inspected | None:
    """Return which of two verdicts stands, the second of equals; None for none."""
    there = [either for either in (other, one) if either is not None]
    return max(there, key=lambda either: either.word, default=None)


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["natadv-inspected/1"] = "natadv-inspected/1"
    verdicts: tuple[Inspected, ...]


def verdicts_file(checkpoint: Path) -> Path:
    """Return where the verdicts on a checkpoint lie: `checkpoint.inspection.json` for `checkpoint.pt`."""
    return checkpoint.with_suffix(ENDING)


def read_verdicts(checkpoint: Path, digest: str) -> dict[str, Inspected]:
    """Return the verdict on a checkpoint by the sha256 of the data; none where there is no file.

    Of several on the same data, one that found it suspicious stands, whatever a later one says with other pictures,
    another seed or another calibration; else one that had clean pictures to go by, and enough; else the latest.

    Args:
        checkpoint: its file.
        digest: the file's sha256; verdicts on another file that had its name are left out.

    Raises:
        DataError: if the verdicts cannot be read.
    """
    path = verdicts_file(checkpoint)
    try:
        read = _File.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError, ValueError) as error:
        raise DataError(f"{path}: damaged; delete it and inspect again ({str(error).splitlines()[0]})") from error
    found: dict[str, Inspected] = {}
    for one in read.verdicts:
        if one.checkpoint_sha256 == digest:
            found[one.data_sha256] = max(one, found.get(one.data_sha256, one), key=lambda either: either.word)
    return found


def keep_verdict(checkpoint: Path, verdict: Inspected) -> Path:
    """Write a verdict beside its checkpoint, in the place of an older one on the same data; return the file.

    One of more weight on the same data stays, see `Inspected.word`, and so does what another process writes at the same
    moment.

    Raises:
        DataError: if older verdicts cannot be read, or the file cannot be written.
        ResourceError: if the disk is full.
    """
    path = verdicts_file(checkpoint)
    refusal = f"{path}: another inspection writes there and does not end; end it, and run this one again"
    with held(path.with_name(f".{path.name}.lock"), refusal, wait_s=_WAIT_S):
        kept = read_verdicts(checkpoint, verdict.checkpoint_sha256)
        kept[verdict.data_sha256] = max(verdict, kept.get(verdict.data_sha256, verdict), key=lambda either: either.word)
        replace_file(path, (_File(verdicts=tuple(kept.values())).model_dump_json(indent=1) + "\n").encode())
    return path
