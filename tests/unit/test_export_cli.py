"""`natadv export CHECKPOINT --out BUNDLE`, from a checkpoint to a bundle that the device runs."""

import html
import json
import shutil
from inspect import signature
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from edge.bundle import CARD_HTML, MODEL, read_bundle
from edge.classifier import Classifier
from edge.manifest import ENOUGH_IMAGES
from edge.provenance import UNKNOWN
from export.cli import app, write
from export.revision import git_revision
from natadv.errors import BundleError, ConfigError, DataError
from natadv.images import write_image
from natadv.models.classifier import create_classifier
from natadv.training.checkpoint import LoadedClassifier, load_classifier, save_checkpoint

LABELS = ("ahead", "stop", "yield")


def run(*args: object) -> str:
    """Run `natadv export ARGS` and return what it prints; our errors rise."""
    done = CliRunner().invoke(app, [str(arg) for arg in args])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "checkpoint.pt"
    torch.manual_seed(1)
    model = create_classifier("natadv_slim", LABELS, (32, 40), stem=4, widths=(4, 8, 8))
    save_checkpoint(path, model, metrics={"accuracy": 0.5, "note": "x"}, recipe={}, provenance={})
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled folder that lacks one of the model's labels, with 14 test images of odd sizes."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for label in LABELS[1:]:
        for split, count in (("test", 7), ("train", 1)):
            (folder / split / label).mkdir(parents=True)
            for number in range(count):
                image = rng.integers(0, 256, (20 + number, 50, 3), np.uint8)
                write_image(folder / split / label / f"{number}.png", image)
    return folder


@pytest.fixture(scope="module")
def written(checkpoint: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("out") / "bundle"
    return out, run(checkpoint, "--out", out, "--data", data, "--least-images", 14)


def test_the_bundle_says_what_it_was_made_from(written: tuple[Path, str], checkpoint: Path, data: Path) -> None:
    folder, printed = written
    manifest = read_bundle(folder).manifest
    assert manifest.labels == LABELS
    assert manifest.input_size == (32, 40)
    assert manifest.model_name == "natadv_slim"
    assert manifest.checkpoint_sha256 == load_classifier(checkpoint).digest
    assert (manifest.parity.images, manifest.parity.real_images) == (14 + 16, 14)
    assert manifest.accuracy_data == f"{data.name} test"
    assert manifest.metrics["checkpoint_accuracy"] == 0.5
    assert manifest.metrics["accuracy_images"] == 14
    assert {"torch", "onnx", "onnxruntime"} <= set(manifest.versions)
    assert manifest.provenance.classifier.data == UNKNOWN  # this checkpoint says nothing
    assert manifest.provenance.git_revision == git_revision()
    assert [line.startswith("warning: ") for line in printed.splitlines()] == [True, False]
    assert "3 labels, 40x32 px" in printed
    assert "on 14 real images (256 are asked for) and 16 frames of noise" in printed
    assert "on 14 real images alone, fewer than the 256" in " ".join(read_bundle(folder).card.markdown.decode().split())


def test_without_data_it_says_that_no_real_image_was_compared(checkpoint: Path, tmp_path: Path) -> None:
    said = run(checkpoint, "--out", tmp_path / "b", "--least-images", 0)
    bundle = read_bundle(tmp_path / "b")
    assert (bundle.manifest.parity.images, bundle.manifest.parity.real_images) == (16, 0)
    assert bundle.manifest.parity.reduced_difference is None
    for text in (said, run("inspect", tmp_path / "b"), bundle.card.html.decode(), bundle.card.markdown.decode()):
        assert "not compared on real images" in text


def test_a_comparison_on_few_real_images_is_refused_unless_allowed(
    checkpoint: Path, data: Path, tmp_path: Path
) -> None:
    assert signature(write).parameters["least_images"].default == ENOUGH_IMAGES == 256
    asked = [checkpoint, "--out", tmp_path / "b"]
    with pytest.raises(ConfigError, match=r"without --data there is no real image .* with --least-images 0$"):
        run(*asked)
    with pytest.raises(ConfigError, match=r"test has 14 real images .*, expected at least 256; .* --least-images 14$"):
        run(*asked, "--data", data)
    with pytest.raises(ConfigError, match=r"test has 14 real images .*, expected at least 15;"):
        run(*asked, "--data", data, "--least-images", 15)
    assert not (tmp_path / "b").exists()


def test_half_precision_of_a_part_needs_no_training_images(tmp_path: Path) -> None:
    """NIPS-2017 has none, only 8 bits look at some."""
    (tmp_path / "data" / "images").mkdir(parents=True)
    names = "ImageId,TrueLabel\n" + "".join(f"{number},{number}\n" for number in range(1, 4))
    (tmp_path / "data" / "dev_dataset.csv").write_text(names)
    for number in range(1, 4):
        write_image(tmp_path / f"data/images/{number}.png", np.full((9, 9, 3), 60 * number, np.uint8))
    labels = tuple(map(str, range(1001)))
    model = create_classifier("natadv_slim", labels, (16, 16), stem=4, widths=(4, 8, 8))
    save_checkpoint(tmp_path / "checkpoint.pt", model, metrics={}, recipe={}, provenance={})
    asked = [tmp_path / "checkpoint.pt", "--out", tmp_path / "b", "--data", tmp_path / "data", "--least-images", 3]
    asked += ["--max-loss", 1, "--robust", 0, "--precision"]
    with pytest.raises(DataError, match="NIPS-2017 is a test set"):
        run(*asked, "int8")
    run(*asked, "fp16", "--part", "classifier")
    bundle = read_bundle(tmp_path / "b")
    assert (bundle.manifest.precision, bundle.manifest.reduced) == ("fp16", "classifier")
    for text in (run("inspect", tmp_path / "b"), bundle.card.html.decode(), bundle.card.markdown.decode()):
        assert "fp16, of the classifier alone" in html.unescape(text)


def test_its_golden_frames_are_real_images(written: tuple[Path, str], checkpoint: Path) -> None:
    golden = read_bundle(written[0]).golden
    assert golden.frames.shape == (8, 32, 40, 3)
    with torch.no_grad():
        batch = torch.from_numpy(golden.frames).permute(0, 3, 1, 2).float() / 255
        expected = load_classifier(checkpoint).model(batch)
    np.testing.assert_allclose(golden.logits, expected.numpy(), atol=1e-5)


def test_its_accuracy_is_what_the_device_reaches(written: tuple[Path, str], data: Path) -> None:
    from natadv.images import labelled_files, read_image

    files = labelled_files(data / "test")
    with Classifier(written[0], device="cpu") as classifier:
        predictions = classifier.predict([read_image(file.path) for file in files])
    right = sum(prediction.label == file.label for prediction, file in zip(predictions, files, strict=True))
    assert read_bundle(written[0]).manifest.metrics["accuracy"] == right / 14


def test_its_card_says_and_shows_what_was_measured(written: tuple[Path, str]) -> None:
    bundle = read_bundle(written[0])
    page, text = bundle.card.html.decode(), bundle.card.markdown.decode()
    accuracy = f"{100 * bundle.manifest.metrics['accuracy']:.1f} %"
    assert accuracy in page
    assert accuracy in text
    assert bundle.manifest.model_sha256 in page
    right = round(14 * bundle.manifest.metrics["accuracy"])
    assert page.count("<figure") == min(right, 12) + min(14 - right, 12)


def test_without_data_the_card_has_no_pictures(checkpoint: Path, tmp_path: Path) -> None:
    run(checkpoint, "--out", tmp_path / "bundle", "--least-images", 0)
    page = read_bundle(tmp_path / "bundle").card.html.decode()
    assert "no data was given to the export" in page
    assert "<img" not in page


def test_a_bundle_whose_card_was_altered_does_not_run(written: tuple[Path, str], tmp_path: Path) -> None:
    copy = shutil.copytree(written[0], tmp_path / "copy")
    page = (copy / CARD_HTML).read_text(encoding="utf-8")
    (copy / CARD_HTML).write_text(page.replace("Robust accuracy", "Perfect accuracy"), encoding="utf-8")
    for words in (["verify", copy], ["inspect", copy]):
        with pytest.raises(BundleError, match=r"card\.html: not the bytes that were exported"):
            run(*words)


def test_a_name_in_use_is_refused_at_once(written: tuple[Path, str], checkpoint: Path) -> None:
    before = (written[0] / MODEL).read_bytes()
    with pytest.raises(ConfigError, match="exists already"):
        run(checkpoint, "--out", written[0])
    assert (written[0] / MODEL).read_bytes() == before


def test_a_label_that_the_model_lacks_is_named(checkpoint: Path, tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / "data" / split / "zebra").mkdir(parents=True)
        write_image(tmp_path / "data" / split / "zebra" / "0.png", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(ConfigError, match="label 'zebra' is not among the model's 3 labels"):
        run(checkpoint, "--out", tmp_path / "bundle", "--data", tmp_path / "data")
    assert not (tmp_path / "bundle").exists()


def test_a_model_that_differs_is_not_written(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import export.checkpoint as module

    loaded: LoadedClassifier = load_classifier(checkpoint)
    to_onnx = module.to_onnx

    def export_then_train_on(*args: object, **kwargs: object) -> bytes:
        exported = to_onnx(*args, **kwargs)  # type: ignore[arg-type]
        with torch.no_grad():
            loaded.model.backbone.head.bias += 0.1
        return exported

    monkeypatch.setattr(module, "to_onnx", export_then_train_on)
    with pytest.raises(BundleError, match=r"differs from the torch model by 0\.1 .*not written"):
        module.export_classifier(loaded, tmp_path / "bundle", least_images=0)
    assert list(tmp_path.iterdir()) == []


def test_an_unfinished_training_is_said(tmp_path: Path) -> None:
    model = create_classifier("natadv_slim", LABELS, (32, 40), stem=4, widths=(4, 8, 8))
    last = tmp_path / "last.pt"
    training = {"epoch": 2, "history": []}
    save_checkpoint(last, model, metrics={"epoch": 2}, recipe={"epochs": 4}, provenance={}, training=training)
    said = run(last, "--out", tmp_path / "b", "--least-images", 0)
    assert f"warning: {last}: its training is unfinished, 2 of 4 epochs; go on with --resume" in said
    assert "trained:           2 of 4 epochs, unfinished, from weights unknown" in run("inspect", tmp_path / "b")
    assert "2 of 4 epochs, unfinished" in (tmp_path / "b" / CARD_HTML).read_text()


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.pt: cannot be read"):
        run(tmp_path / "nowhere.pt", "--out", tmp_path / "bundle")


@pytest.mark.parametrize("words", [["write"], []])
def test_the_word_write_may_be_left_out(words: list[str], tmp_path: Path) -> None:
    for args in (["x.pt", "--out", tmp_path / "b"], ["--out", tmp_path / "b", "x.pt"]):
        with pytest.raises(DataError, match=r"x\.pt"):
            run(*words, *args)


def test_help_is_the_groups_own() -> None:
    assert "write" in run("--help")
    assert "--opset" in run("write", "--help")


def test_the_manifest_is_json_for_people_too(written: tuple[Path, str]) -> None:
    content = json.loads((written[0] / "manifest.json").read_text(encoding="utf-8"))
    assert content["format"] == "natadv-bundle/4"
    assert content["input"] == {"height": 32, "width": 40}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--draws", "2"], "--draws is of --rain"),
        (["--part", "rain"], "--part is of --precision fp16 and int8"),
        (["--symmetric", "--precision", "fp16"], "--symmetric is of --precision int8"),
        (["--precision", "int8"], "need --data"),
        (["--robust", "5"], "need --data"),
    ],
    ids=str,
)
def test_options_that_need_others_say_so(words: list[str], message: str, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        run(checkpoint, "--out", tmp_path / "bundle", *words)
    assert not (tmp_path / "bundle").exists()
