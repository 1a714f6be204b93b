"""Super-resolution networks: shapes, folding, names."""

import pytest
import torch

from natadv.errors import ConfigError
from natadv.models.super_resolution.compact import CompactSr, SeparableConv
from natadv.models.super_resolution.create import Bicubic, create_super_resolution

NAMES = ["bicubic", "edsr:8x2", "compact:8x2", "separable:8x3"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(8, 12), (7, 9)])
def test_every_network_doubles_the_sides(name, size):
    batch = torch.rand(2, 3, *size)
    assert create_super_resolution(name)(batch).shape == (2, 3, 2 * size[0], 2 * size[1])


def test_edsr_baseline_has_the_papers_size():
    weights = sum(weight.numel() for weight in create_super_resolution("edsr:64x16").parameters())
    assert weights == pytest.approx(1.37e6, rel=0.005)


@pytest.mark.parametrize("separable", [False, True])
def test_a_new_compact_network_interpolates(separable):
    batch = torch.rand(2, 3, 8, 8)
    expected = torch.nn.functional.interpolate(batch, scale_factor=2, mode="bilinear")
    found = CompactSr(8, 3, separable=separable)(batch)
    assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("separable", [False, True])
def test_a_folded_network_computes_the_same_with_plain_layers(separable):
    torch.manual_seed(0)
    network = CompactSr(8, 3, separable=separable)
    for weight in network.parameters():
        weight.data.add_(0.1 * torch.randn_like(weight))
    batch = torch.rand(2, 3, 8, 10)
    folded = network.folded()
    assert torch.allclose(folded(batch), network(batch), atol=1e-5)
    assert sum(w.numel() for w in folded.parameters()) < sum(w.numel() for w in network.parameters())
    assert {type(part) for part in folded.body.modules()} <= {
        torch.nn.Sequential,
        SeparableConv,
        torch.nn.Conv2d,
        torch.nn.ReLU,
    }


def test_the_carried_picture_needs_its_channels():
    with pytest.raises(ConfigError, match="3 features and a layer at least"):
        create_super_resolution("compact:2x3")


def test_bicubic_has_nothing_to_train():
    assert not list(Bicubic().parameters())


@pytest.mark.parametrize("name", ["edsr", "edsr:0x3", "compact:8", "swin:8x2", ""])
def test_unknown_networks_are_refused(name):
    with pytest.raises(ConfigError, match="expected bicubic, edsr:FEATURESxDEPTH"):
        create_super_resolution(name)
