"""Bundle: a model and all that a device must know of it, in one folder that is verified before it runs.

    model.onnx      `frames` uint8 (n, h, w, 3) RGB in, and chance where it takes some (`RainNoise`);
                    `probabilities` and `logits` float32 (n, classes) out, and what `Manifest.outputs` says
    manifest.json   Manifest: digests, labels, input size, what it was made from, how good it is
    golden.npz      input frames, chance, and the original model's logits, which the device replays at its start
    card.html       the model card: what a person should know of the model, with pictures, for a browser
    card.md         the same as text
    signature.json  perhaps: who made it, see `edge.signature`

The bytes that are hashed are the bytes that are returned: no file is read twice, so nobody can exchange it in
between. The digests find damage and mix-ups; who made a bundle is a signature's to say, not theirs.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

import numpy as np
from pydantic import ValidationError

from edge.golden import MOST_GOLDEN, MOST_GOLDEN_BYTES, Golden, golden_from_bytes, golden_to_bytes
from edge.manifest import (
    FORMAT,
    Detector,
    InputSize,
    Manifest,
    Parity,
    RainNoise,
    first_problem,
    parse_manifest,
    sha256,
)
from edge.operators import forbidden
from edge.provenance import Provenance
from edge.reading import read_together
from edge.selfcontained import has_external_data
from natadv.durable import PART_SUFFIX, exchange_folders, new_folder
from natadv.errors import BundleError, ConfigError

MODEL: Final = "model.onnx"
MANIFEST: Final = "manifest.json"
GOLDEN: Final = "golden.npz"
CARD_HTML: Final = "card.html"
CARD_MD: Final = "card.md"
FILES: Final = (MANIFEST, MODEL, GOLDEN, CARD_HTML, CARD_MD)
"""What every bundle holds, and a signature is of."""
SIGNATURE: Final = "signature.json"

MOST_BYTES: Final = {
    MANIFEST: 2 << 20,
    MODEL: (2 << 30) - 1,
    GOLDEN: MOST_GOLDEN_BYTES,
    CARD_HTML: 16 << 20,
    CARD_MD: 2 << 20,
    SIGNATURE: 1 << 20,
}
"""More is not read. Protobuf itself ends at 2 GiB, labels of 21 000 classes take 1 MB, eight frames of 4K 200 MB."""


@dataclass(frozen=True, slots=True)
class Card:
    """The model card, for people; nothing on a device looks into it.

    Attributes:
        html: a page that asks for nothing from anywhere, UTF-8.
        markdown: its text, UTF-8.
    """

    html: bytes
    markdown: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A bundle in memory, whole and consistent."""

    manifest: Manifest
    model_bytes: bytes
    golden: Golden
    golden_bytes: bytes
    card: Card


def pack(
    model_bytes: bytes,
    golden: Golden,
    *,
    labels: Sequence[str],
    input_size: tuple[int, int],
    opset: int,
    model_name: str,
    checkpoint_sha256: str,
    parity: Parity,
    metrics: Mapping[str, float],
    accuracy_data: str | None,
    provenance: Provenance,
    versions: Mapping[str, str],
    card: Callable[[Manifest], Card],
    any_size: bool = False,
    noise: RainNoise | None = None,
    detector: Detector | None = None,
    rain_sha256: str | None = None,
    precision: Literal["fp32", "fp16", "int8"] = "fp32",
    reduced: Literal["all", "classifier", "rain"] | None = None,
    attack: str | None = None,
    temperature: float = 1.0,
) -> Bundle:
    """Make a bundle of a model and what is known of it; `Manifest` describes the arguments.

    But for `card`: it writes the model card from the manifest, whose digests of the card and of itself are to come.

    Raises:
        BundleError: if the parts do not fit each other.
    """
    golden_bytes = golden_to_bytes(golden)
    try:
        manifest = Manifest(
            format=FORMAT,
            model_sha256=sha256(model_bytes),
            golden_sha256=sha256(golden_bytes),
            card_html_sha256="",
            card_md_sha256="",
            checkpoint_sha256=checkpoint_sha256,
            rain_sha256=rain_sha256,
            manifest_sha256="",
            created=datetime.now(UTC).replace(microsecond=0),
            model_name=model_name,
            labels=tuple(labels),
            input=InputSize(height=input_size[0], width=input_size[1]),
            any_size=any_size,
            noise=noise,
            detector=detector,
            precision=precision,
            reduced=reduced,
            temperature=temperature,
            opset=opset,
            parity=parity,
            metrics=dict(metrics),
            accuracy_data=accuracy_data,
            attack=attack,
            provenance=provenance,
            versions=dict(versions),
        )
    except ValidationError as error:
        raise BundleError(f"{model_name}: cannot be described, {first_problem(error)}") from error
    written = card(manifest)
    digests = {"card_html_sha256": sha256(written.html), "card_md_sha256": sha256(written.markdown)}
    bundle = Bundle(manifest.model_copy(update=digests).sealed(), model_bytes, golden, golden_bytes, written)
    _check_parts(bundle, model_name)
    return bundle


def write_bundle(folder: Path, bundle: Bundle, *, overwrite: bool = False) -> None:
    """Write a bundle; its folder appears when it is complete and synced, or not at all, and replaces another likewise.

    Args:
        folder: the bundle's name.
        bundle: from `pack` or `read_bundle`.
        overwrite: replace a bundle of that name. A folder that holds anything else is never replaced.

    Raises:
        ConfigError: if the name is taken.
        ResourceError: if the disk is full.
        DataError: if it cannot be written for another reason.
    """
    check_name(folder, overwrite=overwrite)
    new, old = (folder.with_name(f".{folder.name}.{word}") for word in ("new", "old"))
    if folder.exists():
        shutil.rmtree(new, ignore_errors=True)
        _fill(new, bundle)
        exchange_folders(new, folder)
    else:
        _fill(folder, bundle)
    # Only now: what was left of a kill may have been the last bundle of this name.
    for left_over in (new, old, new.with_name(new.name + PART_SUFFIX)):
        shutil.rmtree(left_over, ignore_errors=True)


def _fill(folder: Path, bundle: Bundle) -> None:
    with new_folder(folder) as part:
        for name, data in files_of(bundle).items():
            (part / name).write_bytes(data)


def files_of(bundle: Bundle) -> dict[str, bytes]:
    """Return a bundle's files by name, byte for byte as they are or will be on disk."""
    return {
        MODEL: bundle.model_bytes,
        GOLDEN: bundle.golden_bytes,
        CARD_HTML: bundle.card.html,
        CARD_MD: bundle.card.markdown,
        MANIFEST: bundle.manifest.to_bytes(),
    }


def check_name(folder: Path, *, overwrite: bool) -> None:
    """Refuse a name that `write_bundle` would refuse, before hours of work rather than after.

    Raises:
        ConfigError: if the name is taken.
    """
    if folder.is_symlink():
        raise ConfigError(f"{folder}: is a link to {folder.readlink()}; name the bundle itself, or choose another name")
    if not folder.exists():
        return
    if not overwrite:
        raise ConfigError(f"{folder}: exists already; choose another name, or overwrite it explicitly")
    ours = {*FILES, SIGNATURE, SIGNATURE + PART_SUFFIX}  # the last of a process that was killed while it signed
    if not folder.is_dir() or {path.name for path in folder.iterdir()} - ours:
        raise ConfigError(f"{folder}: is not a bundle and will not be overwritten; choose another name")


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle and verify every byte of it.

    Raises:
        BundleError: if a file is missing, altered or of another format, or the parts do not fit each other.
        ResourceError: if it does not fit into the memory.
    """
    return parse_files(read_files(folder), folder)


def read_files(folder: Path, *, signed: bool = False) -> dict[str, bytes]:
    """Return the bytes of a bundle's files by name, each read once and none looked into; `signed`: its signature too.

    Raises:
        BundleError: if one is missing, is no file, or is too large.
        ResourceError: if it does not fit into the memory.
    """
    names = (*FILES, *((SIGNATURE,) if signed else ()))
    try:
        return read_together(folder, {name: MOST_BYTES[name] for name in names})
    except FileNotFoundError as error:
        if error.filename == SIGNATURE:
            raise BundleError(f"{folder}: is not signed; sign it with `natadv export sign`") from error
        if not (folder / MANIFEST).exists() and not (folder / MODEL).exists():
            raise BundleError(f"{folder}: not a bundle; make one of a checkpoint with `natadv export`") from error
        raise BundleError(
            f"{folder / error.filename}: cannot be read ({error.strerror}); copy it again, or export again"
        ) from error


def parse_files(files: Mapping[str, bytes], folder: Path) -> Bundle:
    """Return the bundle that these bytes are; `folder` is for the message.

    Raises:
        BundleError: as `read_bundle`.
    """
    manifest = parse_manifest(files[MANIFEST], folder / MANIFEST)
    digests = {
        MODEL: manifest.model_sha256,
        GOLDEN: manifest.golden_sha256,
        CARD_HTML: manifest.card_html_sha256,
        CARD_MD: manifest.card_md_sha256,
    }
    for name, expected in digests.items():
        if sha256(files[name]) != expected:
            raise BundleError(f"{folder / name}: not the bytes that were exported; copy it again, or export again")
    golden = golden_from_bytes(files[GOLDEN], manifest, folder / GOLDEN)
    bundle = Bundle(manifest, files[MODEL], golden, files[GOLDEN], Card(files[CARD_HTML], files[CARD_MD]))
    _check_parts(bundle, folder)
    return bundle


def _check_parts(bundle: Bundle, where: Path | str) -> None:
    manifest, golden = bundle.manifest, bundle.golden
    frames, logits, count = golden.frames, golden.logits, len(manifest.labels)
    height, width = manifest.input_size
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[1:] != (height, width, 3):
        raise BundleError(
            f"{where}: golden frames are {frames.dtype} {frames.shape}, the model takes uint8 (n, {height}, {width}, 3)"
        )
    if logits.dtype != np.float32 or logits.ndim != 2 or logits.shape[1] != count:
        raise BundleError(f"{where}: {count} labels, golden logits are {logits.dtype} {logits.shape}")
    if not 0 < len(frames) == len(logits) <= MOST_GOLDEN or not np.isfinite(logits).all():
        raise BundleError(f"{where}: {len(frames)} golden frames do not fit {len(logits)} finite rows of logits")
    expected = {
        name: (len(frames), *shape) for name, shape in (manifest.noise.shapes if manifest.noise else {}).items()
    }
    found = {name: values.shape for name, values in golden.noise.items() if values.dtype == np.int32}
    if found != expected or len(found) != len(golden.noise):
        raise BundleError(f"{where}: golden noise is int32 {found}, the model takes {expected}")
    try:
        outside, problem = has_external_data(bundle.model_bytes), forbidden(bundle.model_bytes, manifest.opset)
    except ValueError as error:
        raise BundleError(f"{where}: {MODEL} is {error}") from error
    if outside:
        raise BundleError(f"{where}: {MODEL} keeps weights in another file, which its digest does not cover")
    if problem is not None:
        raise BundleError(f"{where}: {MODEL} {problem}; such a model is not run")
    for name, data in files_of(bundle).items():
        if len(data) > MOST_BYTES[name]:
            raise BundleError(f"{where}: {name} has {len(data)} bytes, at most {MOST_BYTES[name]} are read")
