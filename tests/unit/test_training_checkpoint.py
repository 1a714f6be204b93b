"""Checkpoints: they give back what went in, and a damaged one says so instead of running."""

import hashlib

import pytest
import torch

from natadv import durable
from natadv.errors import DataError, ResourceError
from natadv.models.classifier import create_classifier
from natadv.training.checkpoint import load_classifier, save_checkpoint


@pytest.fixture
def model():
    torch.manual_seed(3)
    model = create_classifier("natadv_slim", ("a", "b", "c"), (40, 48), drop_rate=0.1)
    model.train()
    model(torch.rand(8, 3, 40, 48))  # moves the running statistics of BatchNorm
    return model.eval()


def save(path, model, **more):
    save_checkpoint(path, model, metrics={"accuracy": 0.5}, recipe={"epochs": 2}, provenance={"data": "x"}, **more)
    return path


def test_round_trip(tmp_path, model):
    path = save(tmp_path / "c.pt", model)
    loaded = load_classifier(path)
    batch = torch.rand(2, 3, 40, 48)
    assert torch.equal(loaded.model(batch), model(batch))
    assert not loaded.model.training
    assert loaded.labels == ("a", "b", "c")
    assert loaded.input_size == (40, 48)
    assert loaded.model_name == "natadv_slim"
    assert loaded.model.model_kwargs == {"drop_rate": 0.1}
    assert (loaded.metrics, loaded.recipe, loaded.provenance) == ({"accuracy": 0.5}, {"epochs": 2}, {"data": "x"})
    assert loaded.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.training is None


def test_a_timm_model_with_a_tag_and_fixed_size(tmp_path):
    model = create_classifier("test_vit.r160_in1k", ("a", "b"), (32, 32)).eval()
    loaded = load_classifier(save(tmp_path / "c.pt", model))
    batch = torch.rand(2, 3, 32, 32)
    assert torch.equal(loaded.model(batch), model(batch))


def test_every_flipped_byte_of_the_weights_is_noticed(tmp_path, model):
    path = save(tmp_path / "c.pt", model)
    data = path.read_bytes()
    weights = model.backbone.stages[2].first[0].weight.detach().contiguous().numpy().tobytes()
    start = data.index(weights)
    for place in (0, len(weights) // 2, len(weights) - 1):
        torn = bytearray(data)
        torn[start + place] ^= 1
        path.write_bytes(bytes(torn))
        with pytest.raises(DataError, match="differ from their checksum"):
            load_classifier(path)


@pytest.mark.parametrize("keep", [0, 10, 1000, -1])
def test_torn_file(tmp_path, model, keep):
    path = save(tmp_path / "c.pt", model)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"c\.pt: not a readable checkpoint"):
        load_classifier(path)


def test_missing_foreign_and_executable_files(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        load_classifier(tmp_path / "none.pt")
    torch.save({"weights": {}}, tmp_path / "other.pt")
    with pytest.raises(DataError, match="not a checkpoint of natadv"):
        load_classifier(tmp_path / "other.pt")
    (tmp_path / "net.onnx").write_bytes(b"\x08\x07\x12 no checkpoint, and whole")
    with pytest.raises(DataError, match=r"net\.onnx: not a checkpoint of natadv, which is"):
        load_classifier(tmp_path / "net.onnx")
    torch.save(torch.nn.Linear(1, 1), tmp_path / "code.pt")
    with pytest.raises(DataError, match="not a readable checkpoint"):
        load_classifier(tmp_path / "code.pt")


def test_labels_that_do_not_fit_the_weights(tmp_path, model):
    model.labels = ("a", "b", "c", "d")
    with pytest.raises(DataError, match="does not fit its own description"):
        load_classifier(save(tmp_path / "c.pt", model))


def test_a_failed_write_leaves_the_old_file(tmp_path, model, monkeypatch):
    path = save(tmp_path / "c.pt", model)
    before = path.read_bytes()

    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "sync", full)
    with pytest.raises(ResourceError, match="the disk is full"):
        save(path, model, training={"epoch": 1})
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["c.pt"]
