"""Banked: a folder of clean and adversarial images with the papers that say where each came from.

BANK/train/KIND/NNNNN.png and BANK/test/KIND/NNNNN.png, one of the kinds being `clean`, are read by whatever reads image
folders. BANK/bank.json has a line for each image. A source image is in one part alone, with its kin, and all
images have one size and were written by one encoder, so that neither tells a kind. Besides `clean` there may be other
kinds of the family `clean`: `dry` is what a camera saw without drops, so that a detector of captured rain learns the
rain and not the camera.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from natadv.data.kin import kin_of
from natadv.detection.kin import Part
from natadv.errors import DataError

PAPERS: Final = "bank.json"
CLEAN: Final = "clean"

Family = Literal["clean", "artificial", "semantic", "natural"]


class Kind(BaseModel):
    """What one kind of image is.

    Attributes:
        family: the category of Agarwal et al. 2022, Sec. 3.
        settings: of the attack, or of what else made the images, as plain values.
        tried: images that it was tried on, or that were looked at.
        fooled: of those, that the model, right before, had wrong after; of a clean kind, that it has right.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: Family
    settings: dict[str, Any]
    tried: Annotated[int, Field(ge=0)]
    fooled: Annotated[int, Field(ge=0)]


class Banked(BaseModel):
    """One image.

    Attributes:
        path: below the bank.
        source: key of the image that it was made of, in the data it came from.
        label: of the source.
        said: what the model says of it; the label itself for a clean image. Of a `misclassified` one, what most of the
            models say that did not learn from it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    part: Part
    kind: str
    source: str
    label: str
    said: str


class BankPapers(BaseModel):
    """What `bank.json` says.

    Attributes:
        data: that the clean images are of.
        model: that was to be fooled, as it was named; `model_sha256`, the digest of its file.
        size_px: side of all images.
        kinds: by name; `clean` is one.
        images: in the order in which they were written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["natadv-bank/1"] = "natadv-bank/1"
    data: str
    model: str
    model_sha256: str
    size_px: Annotated[int, Field(ge=8)]
    seed: int
    kinds: Mapping[str, Kind]
    images: tuple[Banked, ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if CLEAN not in self.kinds:
            raise ValueError(f"there is no kind {CLEAN!r}")
        if self.kinds[CLEAN].family != CLEAN:
            raise ValueError(f"the kind {CLEAN!r} is said to be {self.kinds[CLEAN].family}")
        parts: dict[str, Part] = {}
        for image in self.images:
            if image.kind not in self.kinds:
                raise ValueError(f"{image.path}: its kind {image.kind!r} is not described")
            if Path(image.path).parts[:2] != (image.part, image.kind) or ".." in Path(image.path).parts:
                raise ValueError(f"{image.path}: does not lie in {image.part}/{image.kind}")
            if parts.setdefault(kin_of(image.source), image.part) != image.part:
                raise ValueError(
                    f"{image.source}: it or its kin are sources of both parts, so a detector could know its test images"
                )
        return self

    def kinds_of(self, *families: Family) -> tuple[str, ...]:
        """Return the kinds of these families, in order."""
        return tuple(name for name, kind in self.kinds.items() if kind.family in families)

    def of(self, part: Part, kind: str) -> tuple[Banked, ...]:
        """Return the images of a kind in a part, in order."""
        return tuple(image for image in self.images if image.part == part and image.kind == kind)


def read_bank(folder: Path) -> BankPapers:
    """Read the papers of a bank.

    Raises:
        DataError: if there are none, they are damaged, or an image that they name is missing.
    """
    path = folder / PAPERS
    try:
        papers = BankPapers.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"{folder}: has no {PAPERS}; make a bank with `natadv detect bank`") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DataError(f"{path}: damaged ({where + ': ' if where else ''}{first['msg']})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    for image in papers.images:
        if not (folder / image.path).is_file():
            raise DataError(f"{folder / image.path}: is named by {PAPERS} and is missing; make the bank again")
    return papers
