"""Models from files and names, their classes and the data's, and the paper's numbers by the paper's names."""

import numpy as np
import pytest
import torch

from natadv.data.draw import draw
from natadv.data.load import load_dataset
from natadv.data.nips17 import load_nips17
from natadv.errors import ConfigError
from natadv.images import write_image
from natadv.models.classifier import create_classifier
from natadv.papers.advrd import TABLE_2, TABLE_3, TABLE_5, model_column, papers_data
from natadv.training.checkpoint import save_checkpoint
from natadv.training.trial import try_model
from natadv.training.victim import Victim, as_surrogate, label_of, open_victim, targets_of
from tests.tiny_classifier import LABELS, write_tiny_classifier


def test_a_checkpoints_classes_are_matched_by_label(tmp_path):
    for label in LABELS:
        (tmp_path / "data/train" / label).mkdir(parents=True)
        (tmp_path / "data/test" / label).mkdir(parents=True)
        for part in ("train", "test"):
            write_image(tmp_path / "data" / part / label / "0.png", np.full((9, 9, 3), 70, np.uint8))
    with torch.random.fork_rng([]):
        model = create_classifier("natadv_slim", ("red", "blue", "green", "grey"), (16, 16))
        model.backbone.head.bias.data[:] = torch.tensor([9.0, 0, 0, 0])
    (tmp_path / "run").mkdir()
    save_checkpoint(tmp_path / "run/checkpoint.pt", model, metrics={}, recipe={}, provenance={})
    victim = open_victim(str(tmp_path / "run/checkpoint.pt"))
    assert victim.name == "run"
    data = load_dataset(tmp_path / "data", "test")
    names = [data.labels[target] for target in data.targets]
    assert [victim.labels[target] for target in targets_of(victim, data)] == names
    assert not victim.model.training
    trial = try_model(victim, draw(data, count=None, seed=0), size=(20, 20))
    assert trial.images.shape[1:] == (3, 20, 20)
    with pytest.raises(ConfigError, match="its classes are not those of run"):
        as_surrogate(open_victim(str(write_tiny_classifier(tmp_path / "one.onnx"))), victim)


def test_models_of_1000_and_of_1001_classes_agree(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "dev_dataset.csv").write_text("ImageId,TrueLabel\na,306\n")
    write_image(tmp_path / "images/a.png", np.zeros((4, 4, 3), np.uint8))
    data = load_nips17(tmp_path)

    class Fixed(torch.nn.Module):
        def __init__(self, classes):
            super().__init__()
            self.classes = classes

        def forward(self, batch):
            return torch.arange(self.classes).float().repeat(len(batch), 1)

    big, small = (Victim(f"m{n}", f"m{n}", Fixed(n).eval(), (4, 4), n, None) for n in (1001, 1000))
    assert (targets_of(big, data)[0], targets_of(small, data)[0]) == (306, 305)
    assert label_of(big, data, 306) == label_of(small, data, 305) == "306"
    image = torch.zeros(2, 3, 4, 4)
    assert torch.equal(as_surrogate(small, big)(image)[:, 1:], small.model(image))
    assert (as_surrogate(small, big)(image).softmax(1)[:, 0] == 0).all()
    assert torch.equal(as_surrogate(big, small)(image), big.model(image)[:, 1:])


def test_the_papers_numbers_are_found_by_the_papers_names():
    assert model_column("inception_v3.tf_in1k") == "Inc-v3"
    assert model_column("mobilenet_v2_224") == "mobilenet_v2_224"
    assert papers_data("nips17 (120 of 1000 images)") == "NIPS-17"
    assert papers_data("signs") is None
    assert TABLE_5["GTSRB"]["hardened"]["physical"] == 37
    for table in (TABLE_2, TABLE_3):
        for rates in table.values():
            *models, average = rates.values()
            assert sum(models) / len(models) == pytest.approx(average, abs=0.06)
