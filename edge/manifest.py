"""Manifest: what a model bundle says of itself, sealed against damage.

The manifest holds its own digest and has exactly one way of being written, so that any flipped byte of it,
be it in a label, a number or a blank, is found.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, Self, get_args

from pydantic import AwareDatetime, Field, FiniteFloat, ValidationError, model_validator

from edge.provenance import Provenance, Training
from edge.schema import Digest, DigestToCome, Frozen, Grown, Line
from edge.wording import one_line
from natadv.errors import BundleError

Format = Literal["natadv-bundle/3", "natadv-bundle/4"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
"""Those that are read. A field more is a number more: devices are updated later than the machines that export."""
FORMAT: Final = FORMATS[-1]
"""That which is written."""
INPUT: Final = "frames"
PICK: Final = "pick"
SHIFT: Final = "shift"
OUTPUTS: Final = ("probabilities", "logits")
DISAGREEMENT: Final = "disagreement"
SCORE: Final = "score"
ENOUGH_IMAGES: Final = 256
"""Real images that an export is compared on with its original, unless it was allowed fewer."""
OPSETS: Final = range(18, 21)  # newer ones have moved models from CUDA to the CPU without a word

_MOST_PX: Final = 8192
_MOST_DRAWS: Final = 256
"""A manifest that asks for more is damaged or hostile: memory is taken by these numbers."""


class InputSize(Frozen):
    """Height and width of the model's input in pixels."""

    height: int = Field(ge=1, le=_MOST_PX)
    width: int = Field(ge=1, le=_MOST_PX)


class Parity(Grown):
    """How far the exported model's logits were from the original's when it was written.

    Attributes:
        images: frames that were compared, real images and noise.
        max_difference: largest absolute difference of a logit, before any reduction.
        tolerance: the difference that would have stopped the export.
        real_images: of the frames compared, those that were real images; None: a former version did not say.
        reduced_difference: largest absolute difference of a logit of the reduced model from the original's on the real
            images; None: it was not reduced, or a former version did not say.
    """

    later: ClassVar = frozenset({"real_images", "reduced_difference"})

    images: int = Field(ge=1)
    max_difference: FiniteFloat = Field(ge=0)
    tolerance: FiniteFloat = Field(gt=0)
    real_images: int | None = Field(default=None, ge=0)
    reduced_difference: FiniteFloat | None = Field(default=None, ge=0)


class RainNoise(Frozen):
    """What chance a model with RAIN takes as inputs beside its frames, so that a pass can be replayed.

    Attributes:
        draws: passes that the model averages for a frame, each with chance of its own.
        pick: shape of the input `pick`, int32 (n, *pick), values 0..3, each as likely; None: the model has none.
        reach: of the input `shift`, int32 (n, 2 * draws), pairs of pixels down and right: the whole numbers nearest to
            U(-reach, reach); None: the model has none.
    """

    draws: int = Field(ge=1, le=_MOST_DRAWS)
    pick: Annotated[tuple[int, int, int], Field(strict=False)] | None
    reach: Annotated[tuple[FiniteFloat, FiniteFloat], Field(strict=False)] | None

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.pick is None and self.reach is None:
            raise ValueError("noise of no kind")
        if self.pick is not None and (min(self.pick) < 1 or self.pick[0] not in (self.draws, 3 * self.draws)):
            raise ValueError(f"a pick of {self.pick} for {self.draws} draws")
        if self.reach is not None and min(self.reach) < 0:
            raise ValueError(f"a reach of {self.reach}")
        return self

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The inputs by name, each with its shape for one frame."""
        found: dict[str, tuple[int, ...]] = {}
        if self.pick is not None:
            found[PICK] = self.pick
        if self.reach is not None:
            found[SHIFT] = (2 * self.draws,)
        return found


class Detector(Grown):
    """The detector of adversarial examples in a model.

    Attributes:
        checkpoint_sha256: of the file that it was exported from.
        threshold: a score above it is an alarm, 0..1.
        false_alarms: share of clean images that it was chosen for: no more often is one of a new source above it.
        training: what it was trained on and how; None: a former version did not say.
    """

    later: ClassVar = frozenset({"training"})

    checkpoint_sha256: Digest
    threshold: FiniteFloat = Field(ge=0, le=1)
    false_alarms: FiniteFloat = Field(ge=0, le=1)
    training: Training | None = None


class Manifest(Grown):
    """What `manifest.json` says; digests are SHA-256 in hex.

    Attributes:
        card_html_sha256: of the model card, which is written from this manifest, and so after it.
        card_md_sha256: of its text, likewise.
        manifest_sha256: of this manifest as written, with this one value empty.
        model_name: the architecture, as timm or the training names it.
        rain_sha256: of the file of RAIN's network, where RAIN is before the classifier.
        any_size: whether the model takes frames of any size and resizes them to `input` itself.
        noise: the chance that the model takes as inputs; None: it takes none.
        detector: what gives the output `score`; None: there is none.
        precision: of the weights, at the least.
        reduced: the part of the model that has it, the rest being in full; None: it was not reduced, or a former
            version did not say.
        temperature: probabilities are softmax(logits / temperature).
        metrics: shares are 0..1; `accuracy` is the exported model's own, on `accuracy_images` images.
        accuracy_data: the data set and part that `accuracy` was measured on, if it was.
        attack: by name, what the images of `robust` in the metrics were attacked with, at 8/255.
        provenance: what the networks were trained on and how, and by which sources the bundle was made.
        versions: of the packages that made the bundle.
    """

    later: ClassVar = frozenset({"reduced"})

    format: Format
    model_sha256: Digest
    golden_sha256: Digest
    card_html_sha256: DigestToCome
    card_md_sha256: DigestToCome
    checkpoint_sha256: Digest
    rain_sha256: Digest | None
    manifest_sha256: DigestToCome
    created: Annotated[AwareDatetime, Field(strict=False)]
    model_name: Line
    labels: Annotated[tuple[str, ...], Field(min_length=1, strict=False, fail_fast=True)]
    input: InputSize
    any_size: bool
    noise: RainNoise | None
    detector: Detector | None
    precision: Literal["fp32", "fp16", "int8"]
    reduced: Literal["all", "classifier", "rain"] | None = None
    temperature: FiniteFloat = Field(gt=0)
    opset: int = Field(ge=OPSETS.start, lt=OPSETS.stop)
    parity: Parity
    metrics: dict[Line, FiniteFloat]
    accuracy_data: Line | None
    attack: Line | None
    provenance: Provenance
    versions: dict[Line, Line]

    @model_validator(mode="after")
    def _distinct_labels(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("two labels are the same")
        odd = next((label for label in self.labels if not label.isprintable()), None)
        if odd is not None:
            raise ValueError(f"label {odd!r} cannot be printed")
        return self

    @model_validator(mode="after")
    def _reduced_to_something(self) -> Self:
        if self.reduced is not None and self.precision == "fp32":
            raise ValueError("a reduction to full precision")
        return self

    @model_validator(mode="after")
    def _noise_of_the_input(self) -> Self:
        halves = (-(-self.input.height // 2), -(-self.input.width // 2))
        if self.noise is not None and self.noise.pick is not None and self.noise.pick[1:] != halves:
            raise ValueError(f"a pick of {self.noise.pick[1:]} for an input of {self.input_size}")
        if self.noise is not None and self.noise.reach is not None and max(self.noise.reach) > max(self.input_size):
            raise ValueError(f"a shift of up to {max(self.noise.reach):g} px for an input of {self.input_size}")
        return self

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) of the model's input."""
        return self.input.height, self.input.width

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """The model's inputs by name, each with its shape for one frame."""
        return {INPUT: (*self.input_size, 3)} | (self.noise.shapes if self.noise else {})

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """The model's outputs by name, each with its shape for one frame; all are float32."""
        found: dict[str, tuple[int, ...]] = dict.fromkeys(OUTPUTS, (len(self.labels),))
        if self.noise is not None and self.noise.draws > 1:
            found[DISAGREEMENT] = ()
        if self.detector is not None:
            found[SCORE] = ()
        return found

    @property
    def labels_json(self) -> str:
        """The labels as the model's own metadata has them."""
        return labels_to_json(self.labels)

    def to_bytes(self) -> bytes:
        """Return the one way this manifest is written; any other bytes are not it."""
        return (json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n").encode()

    def sealed(self) -> Self:
        """Return this manifest with its own digest filled in."""
        empty = self.model_copy(update={"manifest_sha256": ""})
        return self.model_copy(update={"manifest_sha256": sha256(empty.to_bytes())})


def parse_manifest(data: bytes, path: Path) -> Manifest:
    """Read the bytes of a manifest; `path` is for the message.

    Raises:
        BundleError: if they are of another format, or not as `Manifest.to_bytes` wrote them.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: damaged, not JSON ({one_line(error)}); copy it again, or export again") from error
    found = content.get("format") if isinstance(content, dict) else None
    if found not in FORMATS:
        shown = repr(found[:40]) if isinstance(found, str) else None
        if isinstance(found, str) and _is_newer(found):
            raise BundleError(f"{path}: format {shown} is of a newer natadv than this one; update this one")
        raise BundleError(f"{path}: format {shown}, this version reads {' and '.join(FORMATS)}; export the model again")
    try:
        manifest = Manifest.model_validate(content)
    except ValidationError as error:
        raise BundleError(f"{path}: {first_problem(error)}; copy it again, or export again") from error
    try:
        written = manifest.sealed().to_bytes()
    except UnicodeEncodeError as error:  # JSON can say halves of letters, which no file has
        raise BundleError(
            f"{path}: holds what is no text ({one_line(error)}); copy it again, or export again"
        ) from error
    if written != data:
        raise BundleError(f"{path}: altered after the export; copy it again, or export again")
    return manifest


def _is_newer(name: str) -> bool:
    """Whether a format is one of ours with a number above that which is written here."""
    number = re.compile(r"natadv-bundle/([1-9][0-9]{0,8})", re.ASCII)
    ours, theirs = number.fullmatch(FORMAT), number.fullmatch(name)
    return ours is not None and theirs is not None and int(theirs[1]) > int(ours[1])


def labels_to_json(labels: tuple[str, ...]) -> str:
    """Return labels as they stand in the metadata of `model.onnx`."""
    return json.dumps(list(labels), ensure_ascii=False)


def sha256(data: bytes) -> str:
    """Return the SHA-256 of bytes in hex."""
    return hashlib.sha256(data).hexdigest()


def first_problem(error: ValidationError) -> str:
    """Return the first of pydantic's complaints in one line."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "manifest"
    return f"{one_line(place, 80)}: {one_line(first['msg'])}"
