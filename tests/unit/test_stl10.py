"""The CNN of RAIN's Table VIII, and STL-10's own layout."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.datasets import STL10

from natadv.data.load import load_dataset
from natadv.errors import DataError
from natadv.models.classifier import create_classifier


def test_the_network_is_table_viiis():
    model = create_classifier("natadv_stl10", tuple(map(str, range(10))), (96, 96)).eval()
    convolutions = [part for part in model.modules() if isinstance(part, nn.Conv2d)]
    assert [(part.in_channels, part.out_channels, part.padding[0]) for part in convolutions] == [
        (3, 32, 1),
        (32, 64, 1),
        (64, 128, 1),
        (128, 128, 1),
        (128, 256, 0),
        (256, 256, 0),
    ]
    assert model(torch.rand(2, 3, 96, 96)).shape == (2, 10)


@pytest.mark.parametrize("side", [32, 64])
def test_smaller_pictures_are_padded_for(side):
    model = create_classifier("natadv_stl10", ("a", "b"), (side, side)).eval()
    assert model(torch.rand(2, 3, side, side)).shape == (2, 2)


def test_missing_data_are_said_to_be(tmp_path):
    with pytest.raises(DataError, match="no whole stl10_binary/ here"):
        load_dataset("stl10", "test", root=tmp_path)


def test_the_official_layout_is_read(tmp_path, monkeypatch):
    """Three pictures as the archive has them: a plane a channel, column by column, and labels that count from one."""
    pictures = np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3), np.uint8)
    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    (folder / "test_X.bin").write_bytes(pictures.transpose(0, 3, 2, 1).tobytes())
    (folder / "test_y.bin").write_bytes(bytes([1, 10, 3]))
    # The whole archive weighs 2.6 GB; that its digests are looked at, the test above shows.
    monkeypatch.setattr(STL10, "_check_integrity", lambda _: True)
    data = load_dataset("stl10", "test", root=tmp_path)
    assert [data.labels[target] for target in data.targets] == ["airplane", "truck", "car"]
    assert data.keys == ("test/0", "test/1", "test/2")
    for number, picture in enumerate(pictures):
        assert np.array_equal(data.read(number), picture)
