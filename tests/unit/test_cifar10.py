"""CIFAR-10's official layout, written small; torchvision's digests of the files are those of these."""

import hashlib
import pickle

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from natadv.data.cifar10 import LABELS
from natadv.data.load import load_dataset
from natadv.errors import DataError


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """Two training files of four images and a test file of two, red growing with the image's number."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()

    def write(name, content):
        (folder / name).write_bytes(pickle.dumps(content))
        return [name, hashlib.md5((folder / name).read_bytes()).hexdigest()]

    def batch(first, count):
        data = np.zeros((count, 3, 32, 32), np.uint8)
        data[:, 0] = np.arange(first, first + count)[:, None, None]
        data[:, 2, 0, 31] = 255
        return {"data": data.reshape(count, -1), "labels": list(range(count))}

    train = [write("data_batch_1", batch(0, 4)), write("data_batch_2", batch(4, 4))]
    names = write("batches.meta", {"label_names": list(LABELS)})
    monkeypatch.setattr(CIFAR10, "train_list", train)
    monkeypatch.setattr(CIFAR10, "test_list", [write("test_batch", batch(8, 2))])
    monkeypatch.setattr(CIFAR10, "meta", {"filename": names[0], "key": "label_names", "md5": names[1]})
    return tmp_path


@pytest.mark.parametrize(("split", "reds"), [("train", [*range(8)]), ("test", [8, 9])])
def test_the_official_layout_is_read(split, reds, archive):
    data = load_dataset("cifar10", split, root=archive)
    pictures = [data.read(index) for index in range(len(data))]
    assert [int(picture[5, 5, 0]) for picture in pictures] == reds
    assert all(
        picture.shape == (32, 32, 3) and picture[0, 31, 2] == 255 and picture[31, 0, 2] == 0 for picture in pictures
    )
    assert data.labels == LABELS
    assert data.targets.tolist() == [number % 4 for number in range(len(reds))]


def test_a_changed_file_is_told_of(archive):
    (archive / "cifar-10-batches-py" / "test_batch").write_bytes(b"torn")
    with pytest.raises(DataError, match="no whole cifar-10-batches-py/ here"):
        load_dataset("cifar10", "train", root=archive)


def test_missing_data_are_said_to_be(tmp_path):
    with pytest.raises(DataError, match="unpack cifar-10-python"):
        load_dataset("cifar10", "test", root=tmp_path)
