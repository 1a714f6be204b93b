"""The papers of a planted folder, `poison.json`: who trains on such data is told what was done to them.

They have the settings, a line for each poisoned image (where it lies, its own label, its key in the data it came from,
and the digests of its pixels before and after), and the digests of all others. `natadv.backdoors.planted` writes them.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from natadv.data.load import NAMES
from natadv.errors import DataError

PAPERS = "poison.json"


class Planting(BaseModel):
    """How data were poisoned.

    Attributes:
        trigger: its name and parameters, as `natadv.backdoors.named.kept_trigger` takes them.
        share: of the training images.
        seed: of all chance.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trigger: dict[str, Any]
    share: Annotated[float, Field(gt=0, le=1)]
    seed: Annotated[int, Field(ge=0)]


def _plain(name: str) -> str:
    """Refuse what is more than one part of a path: papers come from others, and name where images are written."""
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise ValueError(f"{name!r} is not the name of a file or folder")
    return name


def _below_train(path: str) -> str:
    parts = path.split("/")
    if len(parts) != 3 or parts[0] != "train":
        raise ValueError(f"{path!r} is not train/LABEL/FILE")
    for part in parts:
        _plain(part)
    return path


class PoisonedImage(BaseModel):
    """A poisoned image of the training part.

    Attributes:
        path: below the folder, train/LABEL/FILE.
        label: its own.
        key: in the data it came from.
        clean_sha256: of its pixels before, uint8 RGB row by row; `poisoned_sha256`, after.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Annotated[str, AfterValidator(_below_train)]
    label: Annotated[str, AfterValidator(_plain)]
    key: str
    clean_sha256: str
    poisoned_sha256: str


class Papers(BaseModel):
    """What `poison.json` says.

    Attributes:
        data: that it was made of.
        target: label that poisoned images have.
        size_px: side of all images.
        settings: of the poisoning.
        images: of the training part.
        others: sha256 of the pixels of each other image, of both parts, by its path; None in papers of an older natadv.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["natadv-poison/1"] = "natadv-poison/1"
    data: str
    root: str
    target: str
    size_px: Annotated[int, Field(ge=8)]
    settings: Planting
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


def papers_of(data: str) -> Papers | None:
    """Return the papers of training data, a planted folder or its training part; None where there are none.

    A named data set has none, even where a folder of its name lies by chance.

    Raises:
        DataError: if they are damaged.
    """
    if data in NAMES:
        return None
    whole = Path(data).resolve()
    places = (whole, whole.parent) if whole.name == "train" else (whole,)
    return next((read_papers(place) for place in places if (place / PAPERS).is_file()), None)
