"""NIPS-2017's layout: targets, labels, images that are not there, one clear line where something is wrong."""

import numpy as np
import pytest

from natadv.data.load import load_dataset
from natadv.data.nips17 import load_nips17
from natadv.errors import DataError
from natadv.images import write_image

HEADER = "ImageId,URL,TrueLabel,TargetClass,License,Author\n"


def picture(seed):
    return np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    rows = [("aa", 306), ("bb", 1), ("cc", 1000)]
    text = "".join(f'{name},https://x/{name}.jpg,{target},7,CC,"Barry, B."\n' for name, target in rows)
    (tmp_path / "dev_dataset.csv").write_text(HEADER + text)
    for seed, (name, _) in enumerate(rows):
        write_image(tmp_path / f"images/{name}.png", picture(seed))
    return tmp_path


def test_the_index_of_a_target_is_its_true_label(folder):
    data = load_dataset(folder, "test")
    assert (data.name, data.split) == ("nips17", "test")
    assert data.targets.tolist() == [306, 1, 1000]
    assert data.keys == ("images/aa.png", "images/bb.png", "images/cc.png")
    assert len(data.labels) == 1001
    assert data.labels[306] == "306"
    assert np.array_equal(data.read(2), picture(2))


def test_classes_have_their_names_where_a_file_gives_them(folder):
    names = folder / "names.txt"
    names.write_text("".join(f"class {number}\n" for number in range(1001)))
    data = load_nips17(folder, labels=names)
    assert [data.labels[target] for target in data.targets] == ["class 306", "class 1", "class 1000"]
    names.write_text("tench\n" * 1000)
    with pytest.raises(DataError, match="1000 lines; expected 1001"):
        load_nips17(folder, labels=names)
    with pytest.raises(DataError, match="cannot be read"):
        load_nips17(folder, labels=folder / "nowhere.txt")


def test_images_that_are_not_there_are_counted(folder):
    (folder / "images/bb.png").unlink()
    data = load_dataset(folder, "test")
    assert data.name == "nips17 (2 of 3 images)"
    assert data.targets.tolist() == [306, 1000]
    assert np.array_equal(data.read(1), picture(2))


def test_none_there_and_nothing_to_train_on(folder):
    with pytest.raises(DataError, match="no train part"):
        load_dataset(folder, "train")
    for path in (folder / "images").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="holds none of the 3 images"):
        load_dataset(folder, "test")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Image,Label\na,1\n", "expected the columns ImageId and TrueLabel"),
        (HEADER + "aa,u,cat,7,CC,B\n", "expected the columns ImageId and TrueLabel, a number"),
        (HEADER + "aa,u,1001,7,CC,B\n", "a TrueLabel of 1001; expected 1 to 1000"),
        (HEADER + "aa,u,0,7,CC,B\n", "a TrueLabel of 0"),
        (HEADER, "holds none of the 0 images"),
    ],
)
def test_another_table_is_refused(folder, content, message):
    (folder / "dev_dataset.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        load_dataset(folder, "test")


@pytest.mark.shared
def test_the_real_cut(shared):
    labels = shared / "models/imagenet/imagenet_labels.txt"
    data = load_nips17(shared / "data/nips17", labels=labels)
    assert len(data) == 120
    assert "120 of 1000" in data.name
    assert data.read(0).shape == (299, 299, 3)
    assert data.labels[data.targets[0]] != "background"
