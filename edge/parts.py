"""Parts of a clip that a person labelled apart, where the scene changes within it.

A part's pictures lie in a folder of their own beside those of whole clips, with `part.json` in it. Parts of a clip
never overlap, nor is a clip labelled as a whole and in parts: a picture would be in the training data under two labels.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from natadv.durable import PART_SUFFIX, file_error
from natadv.errors import ConfigError, DataError

PART: Final = "part.json"
_LOCK: Final = ".lock"
_FROM: Final = "-from-"


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
        return f"{self.clip}{_FROM}{self.from_s:.2f}-to-{self.to_s:.2f}"


def parts_of(labelled: Path, clip: str) -> list[LabelledPart]:
    """Return the parts of a clip that have labels, in order of time.

    Args:
        labelled: the folder of labelled pictures; it may be missing.
        clip: name of the clip.

    Raises:
        DataError: if the file of one of them is damaged.
    """
    found = []
    for path in sorted(labelled.glob(f"*/{PART}")):
        if not path.parent.name.startswith(f"{clip}{_FROM}") or path.parent.suffix == PART_SUFFIX:
            continue  # another clip's, or being written or let go
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
    """Let a clip's parts go, since it has a label as a whole now.

    Raises:
        DataError: if what is kept of one is damaged, or cannot be let go.
    """
    for part in parts_of(labelled, clip):
        drop_pictures(labelled / part.folder)


def drop_pictures(folder: Path) -> None:
    """Let a folder of pictures go, if there is one; it is gone at once, whatever is killed meanwhile.

    Raises:
        DataError: if the file system refuses.
    """
    gone = folder.with_name(f"{folder.name}.gone{PART_SUFFIX}")
    shutil.rmtree(gone, ignore_errors=True)
    try:
        folder.rename(gone)
    except FileNotFoundError:
        return
    except OSError as error:
        raise file_error(folder, error) from error
    shutil.rmtree(gone, ignore_errors=True)


@contextmanager
def labelling_alone(labelled: Path, *, wait: bool = True) -> Iterator[bool]:
    """Keep all others out of the folder of labelled pictures, in this process or another; give whether they are.

    Args:
        labelled: the folder; it is made.
        wait: first wait until nobody else writes there; else they may be at it, and then nobody is kept out.

    Raises:
        DataError: if the folder cannot be made or locked.
    """
    with ExitStack() as held:
        try:
            labelled.mkdir(exist_ok=True)
            lock = held.enter_context((labelled / _LOCK).open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            alone = True
        except BlockingIOError:
            alone = False
        except OSError as error:
            raise file_error(labelled / _LOCK, error) from error
        yield alone
