"""`natadv data export`: labelled folders that capture can take, of images that no other export has."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from natadv.data.load import load_dataset
from natadv.data.signs import draw_sign
from natadv.data_cli import app
from natadv.errors import ConfigError, DataError
from natadv.images import labelled_files, read_image


def run(*arguments):
    result = CliRunner().invoke(app, ["export", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_exports_are_the_datasets_images_at_their_size(tmp_path):
    result = run("signs", "--out", tmp_path / "a", "--per-class", 1, "--seed", 3)
    assert result.output.startswith("12 images in ")
    for file in labelled_files(tmp_path / "a"):
        assert np.array_equal(read_image(file.path), draw_sign("test", int(file.path.stem)))
    assert load_dataset(tmp_path / "a", "test").labels == load_dataset("signs", "test").labels
    source = json.loads((tmp_path / "a/source.json").read_text())
    assert source == {"data": "signs", "split": "test", "seed": 3, "part": [1, 1], "count": 12}


def test_what_was_exported_of_a_test_split_trains_nothing(tmp_path):
    run("signs", "--out", tmp_path / "a", "--per-class", 1)
    assert len(load_dataset(tmp_path / "a", "test")) == 12
    with pytest.raises(DataError, match="images of a test split"):
        load_dataset(tmp_path / "a", "train")


def test_two_parts_of_one_seed_never_overlap(tmp_path):
    for part in ("1/2", "2/2"):
        run("signs", "--out", tmp_path / part[0], "--per-class", 2, "--part", part)
    first, second = ({file.path.name for file in labelled_files(tmp_path / part)} for part in "12")
    assert len(first) == len(second) == 24
    assert not first & second


def test_count_spreads_over_classes(tmp_path):
    run("signs", "--out", tmp_path / "a", "--per-class", 3, "--count", 14)
    counts = np.bincount(load_dataset(tmp_path / "a", "test").targets)
    assert counts.sum() == 14
    assert len(counts) == 12
    assert set(counts) == {1, 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--part", "2of3"], "expected i/n"),
        (["--part", "0/3"], "expected i/n"),
        (["--per-class", "1", "--count", "13"], "only 12 images"),
        (["--split", "valid"], "expected train or test"),
    ],
)
def test_wrong_options(tmp_path, arguments, message):
    with pytest.raises(ConfigError, match=message):
        run("signs", "--out", tmp_path / "a", *arguments)
    assert not (tmp_path / "a").exists()


def test_an_existing_folder_is_left_alone(tmp_path):
    with pytest.raises(ConfigError, match="exists already"):
        run("signs", "--out", tmp_path)
