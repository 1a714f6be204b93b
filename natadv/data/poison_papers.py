"""The papers of a planted folder, `poison.json`: who trains on such data is told what was done to them.

They have the settings, a line for each poisoned image (where it lies, its own label, its key in the data it came from,
and the digests of its pixels before and after), and the digests of all others. `natadv.backdoors.planted` writes them.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from natadv.errors import DataError

PAPERS = "poison.json"


class PoisonedImage(BaseModel):
    """A poisoned image of the training part.

    Attributes:
        path: below the folder.
        label: its own.
        key: in the data it came from.
        clean_sha256: of its pixels before, uint8 RGB row by row; `poisoned_sha256`, after.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    label: str
    key: str
    clean_sha256: str
    poisoned_sha256: str


class Papers(BaseModel):
    """What `poison.json` says.

    Attributes:
        data: that it was made of.
        target: label that poisoned images have.
        size_px: side of all images.
        settings: of the poisoning: trigger, share, seed.
        images: of the training part.
        others: sha256 of the pixels of each other image, of both parts, by its path; None in papers of an older natadv.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["natadv-poison/1"] = "natadv-poison/1"
    data: str
    root: str
    target: str
    size_px: Annotated[int, Field(ge=8)]
    settings: dict[str, Any]
    images: int
    poisoned: tuple[PoisonedImage, ...]
    others: dict[str, str] | None = None


def read_papers(folder: Path) -> Papers:
    """Read the papers of a planted folder.

    Raises:
        DataError: if there are none, or they are damaged.
    """
    path = folder / PAPERS
    try:
        return Papers.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(
            f"{folder}: has no {PAPERS}, as `natadv backdoor plant` writes; `natadv backdoor inspect` looks for poison"
        ) from error
    except (OSError, ValidationError, ValueError) as error:
        raise DataError(f"{path}: damaged ({str(error).splitlines()[0]})") from error
