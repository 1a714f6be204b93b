"""From a bank to the live alarm: a detector is trained, tested, exported, and calls attacked frames, not clean ones."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from typer.testing import CliRunner

from edge.bundle import read_bundle
from edge.cli import app as edge_app
from export.cli import app as export_app
from natadv.attacks.pgd_margin import pgd_margin
from natadv.batches import to_batch, to_images
from natadv.data.load import load_dataset
from natadv.detection.checkpoint import load_detector
from natadv.detection.scoring import scorer_of
from natadv.detection_cli import app as detect_app
from natadv.errors import ConfigError, DataError
from natadv.images import write_image
from natadv.training.checkpoint import load_classifier
from natadv.training.classifier import train_classifier
from natadv.training.recipe import Recipe
from tests.drawn_bank import write_bank
from tests.squares import write_squares

SIZE, EPSILON = 32, 64  # the squares differ by 160 levels


def run(app, *args: object):
    done = CliRunner().invoke(app, [str(arg) for arg in args])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Squares, a classifier of them, and a bank of what PGD makes of them."""
    folder = tmp_path_factory.mktemp("world")
    write_squares(folder / "data", np.random.default_rng(0), train=60, test=30, size=SIZE, noise=40)
    recipe = Recipe(data=str(folder / "data"), size_px=SIZE, epochs=2, device="cpu", threads=1)
    train_classifier(recipe, folder / "classifier")
    loaded = load_classifier(folder / "classifier" / "checkpoint.pt")
    drawn, labels_of, sources = {}, {}, {}
    for part in ("train", "test"):
        data = load_dataset(str(folder / "data"), part)
        images = data.images((SIZE, SIZE))
        batch, labels = to_batch(images, torch.device("cpu")).contiguous(), torch.from_numpy(data.targets)
        found = pgd_margin(loaded.model, batch, labels, epsilon=EPSILON / 255, steps=8)
        assert found.fooled.float().mean() > 0.5
        drawn[part] = {"clean": images, "pgd": to_images(found.images[found.fooled])}
        named, fooled = np.array(data.labels)[data.targets], found.fooled.numpy()
        labels_of[part] = {"clean": named.tolist(), "pgd": named[fooled].tolist()}
        keys = np.array([f"{part}-{key}" for key in data.keys])
        sources[part] = {"clean": keys.tolist(), "pgd": keys[fooled].tolist()}
    write_bank(folder / "bank", drawn, labels=labels_of, sources=sources)
    return folder


@pytest.fixture(scope="module")
def trained(world):
    out = world / "detector"
    said = run(detect_app, "train", world / "bank", "--out", out, "--epochs", 8, "--false-alarms", 0.05, "--threads", 1)
    assert "AUC" in said.stdout
    return out / "detector.pt"


@pytest.fixture(scope="module")
def bundle(world, trained):
    out = world / "bundle"
    run(
        export_app, world / "classifier" / "checkpoint.pt", "--out", out, "--data", world / "data",
        "--detector", trained, "--least-images", 0,
    )  # fmt: skip
    return out


def signs(folder: Path, images: NDArray[np.uint8], bundle: Path) -> list[list[str]]:
    """Return the signs of a live run over images, frame by frame."""
    folder.mkdir()
    for number, image in enumerate(images):
        write_image(folder / f"{number:03d}.png", image)
    rule = ["--alarm", "frames=5", "--alarm", "confidence=off", "--alarm", "changes=off"]
    said = run(edge_app, "run", bundle, "--source", folder, "--fast", "--device", "cpu", *rule)
    return [line.get("signs", []) for line in map(json.loads, said.stdout.splitlines()) if "label" in line]


def of_the_bank(world: Path, kind: str) -> NDArray[np.uint8]:
    return load_dataset(str(world / "bank"), "test").images((SIZE, SIZE))[
        [key.startswith(f"{kind}/") for key in load_dataset(str(world / "bank"), "test").keys]
    ]


def test_attacked_frames_raise_the_alarm_and_clean_ones_do_not(world, bundle, tmp_path):
    attacked = signs(tmp_path / "attacked", of_the_bank(world, "pgd")[:20], bundle)
    assert attacked[:4] == [[]] * 4
    assert attacked[4:] == [["score"]] * 16
    clean = signs(tmp_path / "clean", of_the_bank(world, "clean")[:20], bundle)
    assert clean == [[]] * 20


def test_what_was_trained_is_what_is_deployed(world, trained, bundle):
    from edge.classifier import Classifier

    images = np.concatenate([of_the_bank(world, "clean")[:8], of_the_bank(world, "pgd")[:8]])
    expected = scorer_of(load_detector(trained).model)(images)
    with Classifier(bundle, device="cpu") as opened:
        got = [one.score for one in opened.predict(list(images))]
        np.testing.assert_allclose(got, expected, atol=1e-5)
        # A larger frame is resized as the bank's images were: each pixel repeated, averaged again, is the pixel.
        enlarged = [one.score for one in opened.predict(list(images.repeat(2, axis=1).repeat(2, axis=2)))]
    np.testing.assert_allclose(enlarged, expected, atol=1e-5)


def test_the_bundle_and_its_card_say_what_it_is(bundle, trained):
    read = read_bundle(bundle)
    loaded = load_detector(trained)
    detector = read.manifest.detector
    assert detector is not None
    assert detector.checkpoint_sha256 == loaded.digest
    assert detector.threshold == loaded.calibrated.value
    assert detector.false_alarms == 0.05
    assert detector.training is not None
    assert "pgd" in detector.training.data
    assert detector.training.natadv_version == loaded.provenance["versions"]["natadv"] != "unknown"
    told = run(export_app, "inspect", bundle).stdout
    area = f"AUC {100 * loaded.metrics['auc']:.1f} %"
    assert area in told
    for name in ("card.md", "card.html"):
        assert area in (bundle / name).read_text()
        assert loaded.digest in (bundle / name).read_text()


def test_the_test_part_is_told_by_kind_with_the_attack_that_knows_the_detector(world, trained, tmp_path):
    said = run(
        detect_app, "test", trained, world / "bank", "--out", tmp_path, "--adaptive", 4, "--steps", 5,
        "--model", world / "classifier" / "checkpoint.pt", "--epsilon", EPSILON, "--threads", 1,
    ).stdout  # fmt: skip
    (row,) = csv.DictReader((tmp_path / "kinds.csv").read_text().splitlines())
    assert (row["kind"], row["family"], row["seen"], row["against"]) == ("pgd", "artificial", "1", "clean")
    assert float(row["auc"]) > 0.95
    assert float(row["auc_low"]) <= float(row["auc"]) <= float(row["auc_high"])
    assert "past the detector" in said
    assert "fools both" in said
    summary = json.loads((tmp_path / "test.json").read_text())
    both, plain = summary["adaptive"]["both"], summary["adaptive"]["plain_unseen"]
    assert both["total"] == plain["total"] > 0
    assert both["hits"] >= plain["hits"]
    assert (tmp_path / "roc.png").read_bytes().startswith(b"\x89PNG")


def test_what_the_attack_cannot_use_is_refused_before_anything_is_written(world, trained, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"onnx")
    for model, words in (
        (tmp_path / "model.onnx", "expected a checkpoint.pt"),
        (trained, "not a checkpoint of natadv"),
    ):
        with pytest.raises((ConfigError, DataError), match=words):
            run(
                detect_app,
                "test",
                trained,
                world / "bank",
                "--out",
                tmp_path / "new",
                "--adaptive",
                4,
                "--model",
                model,
            )
        assert not (tmp_path / "new").exists()
