"""Origins: what the images of a folder were copied from, `origins.json` beside its labels or parts.

A copy is numbered, so its name no longer says what it is of, as GTSRB's names say the track. The key of the image that
it was made of still does, see `natadv.data.kin`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from natadv.errors import DataError

ORIGINS = "origins.json"


class _Origins(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["natadv-origins/1"] = "natadv-origins/1"
    keys: dict[str, str]


def write_origins(folder: Path, keys: Mapping[str, str]) -> None:
    """Write what images were copied from.

    Args:
        folder: of the copies; not there for others to see yet.
        keys: in the data that they came from, by the path below `folder`.
    """
    (folder / ORIGINS).write_text(_Origins(keys=dict(keys)).model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_origins(folder: Path, paths: Sequence[Path]) -> tuple[str, ...] | None:
    """Return what some images of a folder were copied from, or None where the folder does not say so of any.

    Raises:
        DataError: if the file is damaged, or says it of some of the images alone.
    """
    file = folder / ORIGINS
    try:
        keys = _Origins.model_validate_json(file.read_bytes()).keys
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise DataError(f"{file}: damaged; delete it, and intervals are by image") from error
    names = [path.relative_to(folder).as_posix() for path in paths]
    unknown = [name for name in names if name not in keys]
    if len(unknown) == len(names):
        return None
    if unknown:
        raise DataError(f"{file}: says nothing of {unknown[0]}; delete that image, or this file for intervals by image")
    return tuple(keys[name] for name in names)
