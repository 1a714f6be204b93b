"""`natadv export verify`, `sign`, `inspect` and `compare`, on bundles whose answers are known."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from edge.bundle import MODEL, SIGNATURE, read_bundle
from edge.golden import Golden
from export.cli import app
from export.comparison import compare_bundles
from natadv.data.load import load_dataset
from natadv.errors import BundleError, ConfigError
from natadv.images import write_image
from tests.tiny_bundle import LABELS, plain, tiny_golden, tiny_model, write_tiny_bundle
from tests.unit.test_edge_signature import keys


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture
def data(tmp_path):
    """Two red images and one green, and one blue that its folder calls green."""
    for label, name, colour in (
        ("red", "a", (255, 0, 0)),
        ("red", "b", (200, 10, 0)),
        ("green", "c", (0, 255, 0)),
        ("green", "d", (0, 0, 255)),
    ):
        for split in ("train", "test"):
            folder = tmp_path / "data" / split / label
            folder.mkdir(parents=True, exist_ok=True)
            write_image(folder / f"{name}.png", plain(colour))
    return tmp_path / "data"


def test_verify_says_that_it_is_whole_and_computes_the_same(tmp_path):
    folder = write_tiny_bundle(tmp_path / "bundle")
    done = run("verify", folder)
    assert done.exit_code == 0
    assert "whole; answers as its original on CPUExecutionProvider" in done.output
    assert read_bundle(folder).manifest.model_sha256 in done.output
    (folder / MODEL).write_bytes(b"")
    with pytest.raises(BundleError, match="not the bytes that were exported"):
        run("verify", folder)


def test_sign_then_verify(tmp_path):
    folder = write_tiny_bundle(tmp_path / "bundle")
    private, public = keys(tmp_path, "ours")
    with pytest.raises(BundleError, match="is not signed"):
        run("verify", folder, "--public-key", public)
    assert run("sign", folder, "--key", private).output.strip() == str(folder / SIGNATURE)
    assert "signed by the owner of" in run("verify", folder, "--public-key", public).output


def test_inspect_says_what_a_person_asks(tmp_path):
    folder = write_tiny_bundle(tmp_path / "bundle", labels=("red", "green", "blue", "grey", "white", "black"))
    said = run("inspect", folder).output
    assert "labels:            6: red, green, blue, grey, white, ..." in said
    assert "6x8 px" in said
    assert "behind RAIN" not in said
    assert "trained on:        colours: 3 images" in said
    assert "trained:           by hand (natadv 0)" in said
    assert "by natadv 0, installed from a package" in said
    assert json.loads(run("inspect", folder, "--json").output)["model_name"] == "tiny"


def test_compare_counts_who_is_right_where(tmp_path, data):
    """The second model answers as the first does for the image with red and blue exchanged."""
    first = write_tiny_bundle(tmp_path / "first")
    turned = tiny_model()
    weights = next(one for one in turned.graph.initializer if one.name == "weights")
    exchanged = np.stack([np.eye(3, dtype=np.float32)[k] for k in (2, 1, 0)], axis=1)
    weights.raw_data = exchanged.tobytes()
    second = write_tiny_bundle(tmp_path / "second", model=turned.SerializeToString(), golden=_golden_of(exchanged))
    found = compare_bundles(first, second, load_dataset(str(data), "test"))
    assert (str(found.accuracy[0]).split(" (")[1][:3], found.accuracy[1].hits) == ("3/4", 1)
    assert found.agree.hits == 1
    assert found.only == (2, 0)
    assert found.largest > 0.9
    said = run("compare", first, second, "--data", data).output
    assert "75.0 % (3/4" in said
    assert "they agree on 25.0 % (1/4" in said


def _golden_of(weights):
    frames = tiny_golden().frames
    means = frames.astype(np.float64).mean((1, 2)) * 10 / 255
    return Golden(frames, (means @ weights - np.arange(3) / 100).astype(np.float32))


def test_a_bundle_agrees_with_itself(tmp_path, data):
    folder = write_tiny_bundle(tmp_path / "bundle")
    found = compare_bundles(folder, folder, load_dataset(str(data), "test"))
    assert found.agree.hits == found.agree.total == 4
    assert found.largest == 0
    assert min(found.frame_s) > 0


def test_other_labels_cannot_be_compared(tmp_path, data):
    first = write_tiny_bundle(tmp_path / "first")
    second = write_tiny_bundle(tmp_path / "second", labels=(*LABELS, "grey"))
    with pytest.raises(BundleError, match="their labels differ"):
        compare_bundles(first, second, load_dataset(str(data), "test"))


def test_data_with_an_unknown_label_is_refused(tmp_path, data):
    for split in ("train", "test"):
        (data / split / "green").rename(data / split / "mauve")
    folder = write_tiny_bundle(tmp_path / "bundle")
    with pytest.raises(ConfigError, match="label 'mauve'"):
        compare_bundles(folder, folder, load_dataset(str(data), "test"))
