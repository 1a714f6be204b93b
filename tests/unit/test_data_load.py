"""Datasets by name and folder: labels, splits, official layouts, one clear line where something is missing."""

import csv
import warnings

import numpy as np
import pytest

from natadv.data.gtsrb import load_gtsrb, read_ppm
from natadv.data.load import NAMES, load_dataset
from natadv.data.select import choose
from natadv.data.signs import load_signs
from natadv.data_help import DATA
from natadv.errors import ConfigError, DataError
from natadv.images import read_image, write_image


def picture(seed, shape=(9, 7)):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), dtype=np.uint8)


def write_ppm(path, image, end=b"\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    size = f"{image.shape[1]} {image.shape[0]}".encode()
    path.write_bytes(b"P6" + end + size + end + b"255" + end + image.tobytes())


def folder_of(root, per_label):
    for number, (label, count) in enumerate(per_label.items()):
        for index in range(count):
            (root / label).mkdir(parents=True, exist_ok=True)
            write_image(root / label / f"{index}.png", picture(100 * number + index))
    return root


@pytest.fixture
def gtsrb(tmp_path):
    """The layout of GTSRB-Training_fixed.zip, GTSRB_Final_Test_Images.zip and GTSRB_Final_Test_GT.zip."""
    base = tmp_path / "gtsrb"
    for label in range(43):
        write_ppm(base / f"GTSRB/Training/{label:05d}/00000_00000.ppm", picture(label))
    targets = [42, 0, 7]
    with (base / "GT-final_test.csv").open("w") as file:
        file.write("Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\n")
        for index, target in enumerate(targets):
            write_ppm(base / f"GTSRB/Final_Test/Images/{index:05d}.ppm", picture(50 + index))
            file.write(f"{index:05d}.ppm;7;9;1;1;6;8;{target}\n")
    return tmp_path


def test_gtsrb_official_layout(gtsrb):
    train, test = load_dataset("gtsrb", "train", root=gtsrb), load_dataset("gtsrb", "test", root=gtsrb)
    assert train.labels == tuple(f"{index:02d}" for index in range(43))
    assert train.targets.tolist() == list(range(43))
    assert test.targets.tolist() == [42, 0, 7]
    assert np.array_equal(train.read(5), picture(5))
    assert np.array_equal(test.read(2), picture(52))


def test_gtsrb_agrees_with_torchvisions_loader(gtsrb):
    from torchvision.datasets import GTSRB

    for split in ("train", "test"):
        ours = load_gtsrb(gtsrb, split)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = GTSRB(str(gtsrb), split=split)
        assert len(ours) == len(theirs)
        for index, (image, target) in enumerate(theirs):
            assert ours.targets[index] == target
            assert np.array_equal(ours.read(index), np.asarray(image))


def test_gtsrb_full_training_archive_and_a_folder_named_outright(gtsrb):
    base = gtsrb / "gtsrb" / "GTSRB"
    (base / "Final_Training").mkdir()
    (base / "Training").rename(base / "Final_Training" / "Images")
    assert len(load_dataset(gtsrb / "gtsrb", "train")) == 43


def test_ppm_with_crlf_header_is_read_right(tmp_path):
    image = picture(3, (30, 29))
    write_ppm(tmp_path / "a.ppm", image, b"\r\n")
    assert np.array_equal(read_ppm(tmp_path / "a.ppm"), image)
    whole = (tmp_path / "a.ppm").read_bytes()
    (tmp_path / "a.ppm").write_bytes(whole[:-5])
    with pytest.raises(DataError, match="2605 bytes of pixels, expected 2610"):
        read_ppm(tmp_path / "a.ppm")


def test_gtsrb_without_its_table_or_at_all(gtsrb, tmp_path):
    (gtsrb / "gtsrb/GT-final_test.csv").write_text("Name;Class\n1;2\n")
    with pytest.raises(DataError, match="expected ';'-separated columns"):
        load_gtsrb(gtsrb, "test")
    (gtsrb / "gtsrb/GT-final_test.csv").unlink()
    with pytest.raises(DataError, match=r"GT-final_test\.csv: missing"):
        load_gtsrb(gtsrb, "test")
    with pytest.raises(DataError, match="no GTSRB here"):
        load_gtsrb(tmp_path / "nowhere", "train")


def test_folder_with_splits_keeps_all_labels(tmp_path):
    folder_of(tmp_path / "train", {"b": 2, "a": 1})
    folder_of(tmp_path / "test", {"c": 1, "a": 1})
    train, test = load_dataset(tmp_path, "train"), load_dataset(str(tmp_path), "test")
    assert train.labels == test.labels == ("a", "b", "c")
    assert train.targets.tolist() == [0, 1, 1]
    assert test.targets.tolist() == [0, 2]


def test_of_a_folder_without_splits_the_same_fifth_is_held_back_by_everyone(tmp_path):
    folder_of(tmp_path, {"a": 10, "b": 5})
    train, test = load_dataset(tmp_path, "train"), load_dataset(tmp_path, "test")
    assert np.bincount(train.targets).tolist() == [8, 4]
    assert np.bincount(test.targets).tolist() == [2, 1]
    assert not set(train.keys) & set(test.keys)
    assert load_dataset(tmp_path, "test").keys == test.keys
    for dataset in (train, test):
        for number, key in enumerate(dataset.keys):
            assert np.array_equal(dataset.read(number), read_image(tmp_path / key))


def test_a_folder_with_too_few_images_to_hold_back_is_refused(tmp_path):
    folder_of(tmp_path, {"a": 2, "b": 2})
    assert len(load_dataset(tmp_path, "train")) == 4
    with pytest.raises(DataError, match="too few images to hold some back"):
        load_dataset(tmp_path, "test")


def test_half_a_split_nothing_and_no_such_name(tmp_path):
    folder_of(tmp_path / "train", {"a": 1, "b": 1})
    with pytest.raises(DataError, match="holds train/ but not test/"):
        load_dataset(tmp_path, "train")
    with pytest.raises(ConfigError, match="neither a folder nor one of signs, gtsrb"):
        load_dataset("sings", "train")
    with pytest.raises(ConfigError, match="expected train or test"):
        load_dataset("signs", "valid")


def test_an_unreadable_image_is_named(tmp_path):
    folder_of(tmp_path, {"a": 1, "b": 1})
    (tmp_path / "b" / "0.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"b/0\.png: not a readable image"):
        load_dataset(tmp_path, "train").images((8, 8))


def test_parts_share_no_image_and_are_seeded():
    signs = load_signs("test", count=120)
    first, second = (choose(signs, per_class=5, seed=4, part=(part, 2)) for part in (1, 2))
    assert not set(first) & set(second)
    assert set(first) | set(second) == set(range(120))
    assert np.bincount(signs.targets[first]).tolist() == [5] * 12
    assert np.array_equal(first, choose(signs, per_class=5, seed=4, part=(1, 2)))
    assert not np.array_equal(first, choose(signs, per_class=5, seed=5, part=(1, 2)))
    with pytest.raises(DataError, match="has 5 images in part 1/2"):
        choose(signs, per_class=6, part=(1, 2))
    with pytest.raises(ValueError, match="1 <= i <= n"):
        choose(signs, part=(3, 2))


@pytest.mark.shared
def test_the_real_cut_of_gtsrb(shared):
    train = load_dataset(shared / "data/gtsrb", "train")
    test = load_dataset(shared / "data/gtsrb", "test")
    assert (len(train), len(test)) == (6246, 2330)
    assert train.labels == test.labels == tuple(f"{index:02d}" for index in range(43))
    with (shared / "data/gtsrb/labels.csv").open() as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    for dataset in (train, test):
        for index in range(0, len(dataset), 97):
            row = rows[f"{dataset.split}/{dataset.keys[index]}"]
            assert int(row["class_id"]) == dataset.targets[index]
            assert dataset.read(index).shape == (int(row["height"]), int(row["width"]), 3)


def test_help_names_all_data():
    assert all(name in DATA for name in NAMES)
