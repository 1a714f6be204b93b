"""The whole loop by its own commands: train, export, record, scan, harden, export, scan, report, live."""

import csv
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from natadv.cli import app
from natadv.errors import DataError
from natadv.images import write_image
from tests.rig_files import small_rig

# Faint strokes on grey, which drops can break: the ends of each in pixels.
STROKES = {"across": ((4, 12), (20, 12)), "down": ((12, 4), (12, 20)), "rising": ((5, 19), (19, 5))}


def natadv(*words: object) -> None:
    """Run a command as from a shell; its errors rise."""
    app([str(word) for word in words], standalone_mode=False)


@pytest.fixture(scope="module")
def loop(tmp_path_factory) -> Path:
    """The loop, once, on three strokes; every test looks at a part of what it left."""
    home = tmp_path_factory.mktemp("loop")
    generator = np.random.default_rng(1)
    for split, count in (("train", 24), ("test", 8)):
        for label, (start, end) in STROKES.items():
            (home / "data" / split / label).mkdir(parents=True)
            for number in range(count):
                image = cv2.line(np.full((24, 24, 3), 128.0), start, end, (155.0,) * 3, 2)
                image = np.clip(image + generator.normal(0, 15, image.shape), 0, 255).astype(np.uint8)
                write_image(home / "data" / split / label / f"{number}.png", image)
    rig = small_rig(home)
    settings = yaml.safe_load(rig.read_text())
    settings["sprayer"] |= {"drops": "heavy", "amount": 2.0}
    rig.write_text(yaml.safe_dump(settings))
    size = ("--size", 32, "--batch-size", 12, "--threads", 1)
    natadv("train", "classifier", "--data", home / "data", "--out", home / "plain", "--epochs", 10, *size)
    few = ("--data", home / "data", "--least-images", 8 * len(STROKES))
    natadv("export", home / "plain/checkpoint.pt", "--out", home / "plain.bundle", *few)
    for purpose, split, seed in (("training", "train", 1), ("test", "test", 2)):
        images, session = home / f"images-{purpose}", home / f"session-{purpose}"
        natadv("data", "export", home / "data", "--split", split, "--per-class", 2, "--seed", seed, "--out", images)
        recording = ("--purpose", purpose, "--seed", seed, "--seconds", 1)
        natadv("capture", "run", rig, images, "--out", session, *recording)
        natadv("capture", "scan", session, home / "plain.bundle")
    hardening = ("--init", home / "plain/checkpoint.pt", "--raindrops", 0.5, "--epochs", 1)
    hits = ("--hits", _hits(home / "session-training"))
    natadv("train", "classifier", "--data", home / "data", "--out", home / "hard", *hardening, *hits, *size[2:])
    natadv("export", home / "hard/checkpoint.pt", "--out", home / "hard.bundle", *few)
    natadv("capture", "scan", home / "session-test", home / "hard.bundle")
    natadv("capture", "report", home / "session-test")
    return home


def _hits(session: Path) -> Path:
    (folder,) = (session / "scans").glob("*/hits")
    return folder


def _digests(folder: Path) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.png")}


def test_drops_fooled_the_model_and_the_hits_are_an_image_folder(loop):
    hits = _hits(loop / "session-training")
    with (hits / "provenance.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert {row["session_purpose"] for row in rows} == {"training"}
    assert all((hits / row["path"]).is_file() for row in rows)
    assert {row["label"] for row in rows} <= set(STROKES)
    assert all(row["predicted"] != row["label"] for row in rows)


def test_nothing_of_the_test_session_reaches_training(loop):
    assert not _digests(loop / "images-training") & _digests(loop / "images-test")
    recipe = yaml.safe_load((loop / "hard/recipe.yaml").read_text())
    assert recipe["hits"] == [str(_hits(loop / "session-training"))]
    assert recipe["data"] == str(loop / "data")
    folders = [hits for hits in (loop / "session-test/scans").glob("*/hits") if list(hits.rglob("*.png"))]
    assert folders, "the test session has no hits to try"
    again = ("--init", loop / "plain/checkpoint.pt", "--hits", folders[0], "--epochs", 1)
    with pytest.raises(DataError, match="for test; training takes hits of training sessions alone"):
        natadv("train", "classifier", "--data", loop / "data", "--out", loop / "cheat", *again)
    assert not (loop / "cheat/checkpoint.pt").exists()


def test_the_report_shows_before_and_after(loop):
    page = (loop / "session-test/report.html").read_text()
    manifests = [json.loads((loop / f"{name}.bundle/manifest.json").read_text()) for name in ("plain", "hard")]
    assert all(manifest["model_sha256"][:12] in page for manifest in manifests)
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page


def test_the_device_runs_what_was_recorded(loop, capsys):
    clip = loop / "session-test/clips/0000-dry"
    natadv("edge", "run", loop / "hard.bundle", "--source", clip, "--fast", "--threads", 1)
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    lines = [line for line in said if "event" not in line]
    assert len(lines) == 5
    assert [line["index"] for line in lines] == sorted(line["index"] for line in lines)
    assert {line["label"] for line in lines} <= set(STROKES)
