"""Parts of a clip that a person labelled apart, where the scene changes within it.

A part's pictures lie in a folder of their own beside those of whole clips, with `part.json` in it. Parts of a clip
never overlap, nor is a clip labelled as a whole and in parts: a picture would be in the training data under two labels.
"""

import shutil
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from natadv.errors import ConfigError, DataError

PART: Final = "part.json"


class LabelledPart(BaseModel):
    """What a person said of a part of a clip.

    Attributes:
        clip: name of the clip.
        label: what it shows.
        from_s: seconds from the clip's first frame to the part's.
        to_s: to its end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    clip: str
    label: str
    from_s: float
    to_s: float

    @property
    def folder(self) -> str:
        """Name of the folder of its pictures."""
        return f"{self.clip}-from-{self.from_s:.2f}-to-{self.to_s:.2f}"


def parts_of(labelled: Path, clip: str) -> list[LabelledPart]:
    """Return the parts of a clip that have labels, in order of time.

    Args:
        labelled: the folder of labelled pictures; it may be missing.
        clip: name of the clip.

    Raises:
        DataError: if a part's file is damaged.
    """
    found = []
    for path in sorted(labelled.glob(f"*/{PART}")):
        try:
            part = LabelledPart.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise DataError(f"{path}: damaged; remove its folder and label that part anew") from error
        if part.clip == clip:
            found.append(part)
    return sorted(found, key=lambda part: part.from_s)


def check_apart(part: LabelledPart, others: list[LabelledPart], whole: str | None) -> None:
    """Refuse a part that shares frames with another one, or whose clip has a label as a whole.

    Raises:
        ConfigError: if so.
    """
    if whole is not None:
        raise ConfigError(f"{part.clip}: is labelled {whole} as a whole; label it anew as a whole, or leave it")
    for other in others:
        if other.folder != part.folder and other.from_s < part.to_s and part.from_s < other.to_s:
            ours, theirs = (f"{one.from_s:.2f} to {one.to_s:.2f} s" for one in (part, other))
            raise ConfigError(
                f"{part.clip}: {ours} overlaps {theirs}, labelled {other.label}; label that part anew, or another"
            )


def drop_parts(labelled: Path, clip: str) -> None:
    """Let a clip's parts go, since it has a label as a whole now."""
    for part in parts_of(labelled, clip):
        shutil.rmtree(labelled / part.folder, ignore_errors=True)
