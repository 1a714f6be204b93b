"""Classifiers: any timm backbone, normalisation inside, clear refusals."""

import pytest
import timm
import torch

from natadv.errors import ConfigError
from natadv.models.classifier import create_classifier

LABELS = ("a", "b", "c")


@pytest.mark.parametrize(
    "name", ["natadv_slim", "natadv_slim_wide", "test_resnet.r160_in1k", "test_vit", "test_efficientnet"]
)
def test_any_timm_name_gives_logits(name):
    model = create_classifier(name, LABELS, (64, 64)).eval()
    assert model(torch.rand(2, 3, 64, 64)).shape == (2, 3)
    assert model.labels == LABELS
    assert model.input_size == (64, 64)


def test_normalisation_is_inside_and_timms():
    model = create_classifier("resnet10t", LABELS, (64, 64)).eval()
    config = timm.get_pretrained_cfg("resnet10t")
    batch = torch.rand(2, 3, 64, 64)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (config.mean, config.std))
    assert torch.allclose(model(batch), model.backbone((batch - mean) / std))
    assert "mean" in model.state_dict()


def test_the_slim_net_is_slim_and_sees_neither_exposure_nor_haze():
    model = create_classifier("natadv_slim", LABELS, (64, 64)).eval()
    assert sum(weight.numel() for weight in model.parameters()) < 320_000
    batch = torch.rand(4, 3, 64, 64)
    hazy = 0.6 * batch + 0.2
    assert torch.allclose(model(batch).softmax(1), model(hazy).softmax(1), atol=0.02)
    mirrored = model(batch.flip(3)).softmax(1)
    assert not torch.allclose(model(batch).softmax(1), mirrored, atol=1e-4)


def test_other_sizes_go_through_the_slim_net():
    model = create_classifier("natadv_slim", LABELS, (48, 40)).eval()
    assert model(torch.rand(1, 3, 48, 40)).shape == (1, 3)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("natadv_slm", {}, "did you mean natadv_slim"),
        ("qqqqqqqqqqqqq", {}, "no such model"),
        ("natadv_slim", {"pretrained": True}, "No pretrained weights exist"),
        ("test_resnet", {"colour": 1}, "unexpected keyword argument 'colour'"),
    ],
)
def test_what_timm_cannot_build_is_a_config_error(name, options, message):
    with pytest.raises(ConfigError, match=message):
        create_classifier(name, LABELS, (64, 64), **options)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="two or more different labels"):
        create_classifier("natadv_slim", ("a", "a"), (64, 64))
    with pytest.raises(ValueError, match="positive input size"):
        create_classifier("natadv_slim", LABELS, (0, 64))
