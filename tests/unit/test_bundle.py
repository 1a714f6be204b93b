"""A bundle is read whole and unaltered, or not at all."""

import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from edge.bundle import CARD_HTML, CARD_MD, FILES, GOLDEN, MANIFEST, Card, read_bundle, write_bundle
from edge.golden import Golden
from edge.manifest import FORMAT, Manifest, Parity
from natadv.errors import BundleError, ConfigError
from tests.hostile.bases import sealed_manifest
from tests.tiny_bundle import LABELS, ORIGIN, tiny_golden, tiny_model, write_tiny_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_bundle(tmp_path / "bundle")


def test_what_was_written_is_read(folder: Path) -> None:
    bundle = read_bundle(folder)
    assert bundle.model_bytes == tiny_model().SerializeToString()
    assert bundle.manifest.labels == LABELS
    assert bundle.manifest.input_size == (8, 6)
    assert bundle.manifest.metrics == {"accuracy": 0.875}
    np.testing.assert_array_equal(bundle.golden.frames, tiny_golden().frames)
    np.testing.assert_array_equal(bundle.golden.logits, tiny_golden().logits)
    assert sorted(path.name for path in folder.parent.iterdir()) == ["bundle"]


def test_read_and_written_again_it_is_the_same(folder: Path, tmp_path: Path) -> None:
    write_bundle(tmp_path / "copy", read_bundle(folder))
    for name in FILES:
        assert (tmp_path / "copy" / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_is_found(folder: Path, name: str) -> None:
    original = (folder / name).read_bytes()
    # Every byte of the small manifest, be it a digit or a blank; a sample of the others.
    places = range(len(original)) if name == MANIFEST else range(0, len(original), 17)
    for place in places:
        for bit in (0, 5):
            altered = bytearray(original)
            altered[place] ^= 1 << bit
            (folder / name).write_bytes(altered)
            with pytest.raises(BundleError) as caught:
                read_bundle(folder)
            assert "\n" not in str(caught.value)
    (folder / name).write_bytes(original)
    read_bundle(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_cut_off_file_is_found(folder: Path, name: str) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(BundleError, match=name):
        read_bundle(folder)
    (folder / name).unlink()
    with pytest.raises(BundleError, match=rf"{name}.*No such file"):
        read_bundle(folder)


@pytest.mark.parametrize("name", [CARD_HTML, CARD_MD])
def test_a_card_that_says_something_else_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("never wrong")
    with pytest.raises(
        BundleError, match=rf"{name}: not the bytes that were exported; copy it again, or export again$"
    ):
        read_bundle(folder)


def test_a_card_is_written_from_the_manifest_that_it_lies_beside(tmp_path: Path) -> None:
    def card(manifest: Manifest) -> Card:
        return Card(manifest.model_sha256.encode(), json.dumps(manifest.metrics).encode())

    bundle = read_bundle(write_tiny_bundle(tmp_path / "bundle", metrics={"accuracy": 0.5}, card=card))
    assert bundle.card.html.decode() == bundle.manifest.model_sha256
    assert json.loads(bundle.card.markdown) == {"accuracy": 0.5}


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nowhere: no such bundle"):
        read_bundle(tmp_path / "nowhere")


def rewrite(folder: Path, **changes: object) -> None:
    """Change the manifest and leave it as it would be written, digest and all, wherever it still is a manifest."""
    content = json.loads((folder / MANIFEST).read_bytes()) | changes
    try:
        (folder / MANIFEST).write_bytes(Manifest.model_validate(content).sealed().to_bytes())
    except ValueError:
        (folder / MANIFEST).write_text(json.dumps(content, indent=1))


def origin(**changes: object) -> dict[str, object]:
    """Return a provenance whose classifier has other values."""
    content = ORIGIN.model_dump(mode="json")
    return content | {"classifier": content["classifier"] | changes}


def test_another_format_is_named(folder: Path) -> None:
    for name in ("natadv-bundle/2", "natadv-bundle/03", "natadv-bundle/9x", "other/9"):
        rewrite(folder, format=name)
        with pytest.raises(BundleError, match=f"'{name}', this version reads natadv-bundle/3 and natadv-bundle/4; exp"):
            read_bundle(folder)


def test_a_newer_format_asks_for_a_newer_natadv(folder: Path) -> None:
    """Its manifest may have fields of which nobody here knows what they mean."""
    rewrite(folder, format="natadv-bundle/5", mirrored=True)
    with pytest.raises(BundleError, match=r"'natadv-bundle/5' is of a newer natadv than this one; update this one$"):
        read_bundle(folder)


def test_a_bundle_of_the_former_format_is_read_and_copied_as_it_was(folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / MANIFEST).read_bytes())
    assert set(content) == set(FIELDS[FORMAT]["Manifest"]) - {"reduced"}
    former = sealed_manifest(content | {"format": "natadv-bundle/3"})
    (folder / MANIFEST).write_bytes(former)
    bundle = read_bundle(folder)
    assert (bundle.manifest.format, bundle.manifest.reduced) == ("natadv-bundle/3", None)
    write_bundle(tmp_path / "copy", bundle)
    assert (tmp_path / "copy" / MANIFEST).read_bytes() == former


FIELDS = {
    "natadv-bundle/4": {
        "Audit": ["state", "words"],
        "Detector": ["checkpoint_sha256", "false_alarms", "threshold", "training"],
        "InputSize": ["height", "width"],
        "Manifest": [
            "accuracy_data", "any_size", "attack", "card_html_sha256", "card_md_sha256", "checkpoint_sha256", "created",
            "detector", "format", "golden_sha256", "input", "labels", "manifest_sha256", "metrics", "model_name",
            "model_sha256", "noise", "opset", "parity", "precision", "provenance", "rain_sha256", "reduced",
            "temperature", "versions",
        ],
        "Parity": ["images", "max_difference", "real_images", "reduced_difference", "tolerance"],
        "Provenance": ["audit", "classifier", "git_revision", "rain"],
        "RainNoise": ["draws", "pick", "reach"],
        "Training": ["data", "materials", "method", "natadv_version", "settings"],
    }
}  # fmt: skip


def test_other_fields_have_another_number() -> None:
    """A device that does not know a field refuses the bundle; the number tells it why."""
    schema = Manifest.model_json_schema()
    found = {"Manifest": schema, **schema["$defs"]}
    assert {name: sorted(one["properties"]) for name, one in found.items() if "properties" in one} == FIELDS[FORMAT]


@pytest.mark.parametrize(
    "changes",
    [
        {"model_name": "tiny\nsignature:         there"},
        {"accuracy_data": "x\x1b]0;t\x07"},
        {"attack": "pgd\x1b[2J"},
        {"versions": {"natadv": "0\n"}},
        {"versions": {"natadv\u202e": "0"}},
        {"metrics": {"accuracy\x9b2J": 0.5}},
        {"labels": ["red", "green\x9b2J"]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_strangers_words_do_not_reach_a_terminal(folder: Path, changes: dict[str, object]) -> None:
    content = json.loads((folder / MANIFEST).read_bytes()) | changes
    (folder / MANIFEST).write_bytes(sealed_manifest(content))
    with pytest.raises(BundleError, match="cannot be printed") as caught:
        read_bundle(folder)
    assert str(caught.value).isprintable()


def test_nor_do_the_words_of_a_recipe(folder: Path) -> None:
    for values in ({"note": "x\x9b2J"}, {"\u202e": 1}, {"deep": [{"x": ["\x9b"]}]}):
        content = json.loads((folder / MANIFEST).read_bytes()) | {"provenance": origin(settings=values)}
        (folder / MANIFEST).write_bytes(sealed_manifest(content))
        with pytest.raises(BundleError, match=r"provenance\.classifier\.settings: .*words that cannot be printed"):
            read_bundle(folder)


def test_a_reduction_to_full_precision_is_none(folder: Path) -> None:
    content = json.loads((folder / MANIFEST).read_bytes()) | {"reduced": "rain"}
    (folder / MANIFEST).write_bytes(sealed_manifest(content))
    with pytest.raises(BundleError, match="a reduction to full precision"):
        read_bundle(folder)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"extra": 1}, "extra: Extra inputs"),
        ({"opset": 23}, "opset: Input should be less than 21"),
        ({"opset": "18"}, "opset: Input should be a valid integer"),
        ({"labels": []}, "labels"),
        ({"labels": ["red", "red", "blue"]}, "two labels are the same"),
        ({"input": {"height": 0, "width": 6}}, "input.height"),
        ({"model_sha256": "abc"}, "model_sha256"),
        ({"metrics": {"accuracy": float("nan")}}, "metrics.accuracy"),
        ({"provenance": {}}, "provenance.classifier: Field required"),
        ({"provenance": origin(data="\x1b[2J")}, "provenance.classifier.data: .*cannot be printed"),
        (
            {"provenance": origin(settings={"loss": float("nan")})},
            "provenance.classifier.settings: .*not JSON compliant",
        ),
    ],
)
def test_another_schema_is_named(folder: Path, changes: dict[str, object], said: str) -> None:
    rewrite(folder, **changes)
    with pytest.raises(BundleError, match=said):
        read_bundle(folder)


@pytest.mark.parametrize(
    "changes", [{"versions": {"a": "\ud800"}}, {"metrics": {"\ud800": 0.5}}, {"model_name": "\ud800"}]
)
def test_half_a_letter_is_no_text(folder: Path, changes: dict[str, object]) -> None:
    content = json.loads((folder / MANIFEST).read_bytes()) | changes
    (folder / MANIFEST).write_text(json.dumps(content, indent=1))
    with pytest.raises(BundleError, match=r"manifest\.json: ") as caught:
        read_bundle(folder)
    assert str(caught.value).isprintable()


def test_a_million_wrong_labels_are_not_a_million_complaints(folder: Path) -> None:
    """A complaint takes a kilobyte."""
    content = json.loads((folder / MANIFEST).read_bytes()) | {"labels": [1] * 1000}
    with pytest.raises(ValidationError) as caught:
        Manifest.model_validate(content)
    assert caught.value.error_count() <= 2


def test_words_of_a_manifest_in_an_error_are_short_and_printable(folder: Path) -> None:
    for changes in ({"\x1b[2J\n" + "x" * 9000: 1}, {"format": "x\n" * 9000}, {"format": [[["x" * 9000]]]}):
        rewrite(folder, **changes)
        with pytest.raises(BundleError, match=r"manifest\.json") as caught:
            read_bundle(folder)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < len(str(folder)) + 300


def test_labels_must_be_as_many_as_classes(folder: Path) -> None:
    rewrite(folder, labels=["red", "green"])
    with pytest.raises(BundleError, match=r"2 labels, golden logits are float32 \(4, 3\)"):
        read_bundle(folder)


def test_the_input_size_must_be_that_of_the_golden_frames(folder: Path) -> None:
    rewrite(folder, input={"height": 6, "width": 8})
    with pytest.raises(BundleError, match=r"golden frames are uint8 \(4, 8, 6, 3\).* takes uint8 \(n, 6, 8, 3\)"):
        read_bundle(folder)


@pytest.mark.parametrize(
    "golden",
    [
        Golden(tiny_golden().frames.astype(np.float32), tiny_golden().logits),
        Golden(tiny_golden().frames, tiny_golden().logits[:2]),
        Golden(tiny_golden().frames[:0], tiny_golden().logits[:0]),
        Golden(tiny_golden().frames, np.full((4, 3), np.nan, np.float32)),
    ],
)
def test_golden_arrays_that_do_not_fit_are_not_packed(tmp_path: Path, golden: Golden) -> None:
    with pytest.raises(BundleError, match="golden"):
        write_tiny_bundle(tmp_path / "bundle", golden=golden)
    assert list(tmp_path.iterdir()) == []


def test_a_name_in_use_is_not_overwritten_unasked(folder: Path) -> None:
    before = (folder / MANIFEST).read_bytes()
    with pytest.raises(ConfigError, match="exists already"):
        write_tiny_bundle(folder, labels=("a", "b"))
    assert (folder / MANIFEST).read_bytes() == before
    write_tiny_bundle(folder, labels=("a", "b"), overwrite=True)
    assert read_bundle(folder).manifest.labels == ("a", "b")
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]


def test_what_is_no_bundle_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match="not a bundle"):
        write_tiny_bundle(tmp_path, overwrite=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_half_written_bundle_does_not_appear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_bytes

    def fail_at_the_manifest(path: Path, data: bytes) -> int:
        if path.name == MANIFEST:
            raise KeyboardInterrupt
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fail_at_the_manifest)
    with pytest.raises(KeyboardInterrupt):
        write_tiny_bundle(tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def hostile(header: bytes) -> bytes:
    """Return a golden.npz whose frames have this header and no data."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("frames.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
        archive.writestr("logits.npy", b"")
    return written.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY\x01\x00",
        hostile(b"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 10000000, 10000000)}"),
        hostile(b"{'descr': '|u1', 'shape': (1,"),
        hostile(b"((((((("),
    ],
    ids=["nothing", "cut off", "terabytes", "no header", "parentheses"],
)
def test_hostile_golden_frames_end_in_one_line(tmp_path: Path, data: bytes) -> None:
    """Whoever makes a bundle makes its digests too."""
    folder = write_tiny_bundle(tmp_path / "bundle")
    manifest = read_bundle(folder).manifest
    (folder / "golden.npz").write_bytes(data)
    manifest = manifest.model_copy(update={"golden_sha256": hashlib.sha256(data).hexdigest()})
    (folder / "manifest.json").write_bytes(manifest.sealed().to_bytes())
    with pytest.raises(BundleError, match="holds no golden frames"):
        read_bundle(folder)


def test_golden_frames_beyond_the_manifests_size_are_not_unpacked(tmp_path: Path) -> None:
    folder = write_tiny_bundle(tmp_path / "bundle")
    packed = io.BytesIO()
    np.savez_compressed(packed, frames=np.zeros((4, 800, 600, 3), np.uint8), logits=np.zeros((4, 3), np.float32))
    (folder / GOLDEN).write_bytes(packed.getvalue())
    rewrite(folder, golden_sha256=hashlib.sha256(packed.getvalue()).hexdigest())
    with pytest.raises(BundleError, match=r"golden\.npz: holds no golden .*unpacks to \d+ bytes, at most 44032 are"):
        read_bundle(folder)


def test_a_manifest_of_brackets_ends_in_one_line(tmp_path: Path) -> None:
    folder = write_tiny_bundle(tmp_path / "bundle")
    (folder / "manifest.json").write_bytes(b"[" * 200_000)
    with pytest.raises(BundleError, match="damaged, not JSON"):
        read_bundle(folder)


@pytest.mark.parametrize("label", ["a\x1b[2J", "two\nlines", "\udcff"])
def test_labels_that_cannot_be_printed_are_refused(tmp_path: Path, label: str) -> None:
    with pytest.raises((BundleError, UnicodeEncodeError), match=r"cannot be printed|surrogates"):
        write_tiny_bundle(tmp_path / "bundle", labels=(label, "green", "blue"))


def test_a_bundle_that_is_written_again_is_the_same(tmp_path: Path) -> None:
    """Also where its golden frames were compressed by somebody: the bytes that were read are written."""
    folder = write_tiny_bundle(tmp_path / "bundle")
    bundle = read_bundle(folder)
    packed = io.BytesIO()
    np.savez_compressed(packed, frames=bundle.golden.frames, logits=bundle.golden.logits)
    (folder / "golden.npz").write_bytes(packed.getvalue())
    changed = {"golden_sha256": hashlib.sha256(packed.getvalue()).hexdigest()}
    (folder / "manifest.json").write_bytes(bundle.manifest.model_copy(update=changed).sealed().to_bytes())
    write_bundle(tmp_path / "copy", read_bundle(folder))
    for name in ("model.onnx", "golden.npz", "manifest.json"):
        assert (tmp_path / "copy" / name).read_bytes() == (folder / name).read_bytes()


def test_a_manifest_of_before_real_images_were_counted_is_still_read(tmp_path: Path) -> None:
    folder = write_tiny_bundle(tmp_path / "b")  # whose parity says nothing of them
    content = json.loads((folder / MANIFEST).read_bytes())
    assert set(content["parity"]) == {"images", "max_difference", "tolerance"}
    assert read_bundle(folder).manifest.parity.real_images is None
    counted = Parity(images=4, max_difference=0.0, tolerance=1e-3, real_images=0, reduced_difference=0.25)
    manifest = read_bundle(write_tiny_bundle(tmp_path / "c", parity=counted)).manifest
    assert (manifest.parity.real_images, manifest.parity.reduced_difference) == (0, 0.25)
