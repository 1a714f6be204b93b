"""Convolutions that cover their input: as torch's, in both memory layouts, with the same parameters."""

import pytest
import torch
from timm.models.vgg import ConvMlp
from torch import nn

from natadv.models.classifier import create_classifier
from natadv.models.covering_conv import CoveringConv2d


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("side", [3, 5])
def test_gives_what_the_convolution_gives(layout: torch.memory_format, side: int) -> None:
    plain = nn.Conv2d(4, 6, 3).to(memory_format=layout)
    shown = torch.randn(2, 4, side, side, generator=torch.Generator().manual_seed(1)).to(memory_format=layout)
    covering = CoveringConv2d.sharing(plain)
    assert torch.allclose(covering(shown), plain(shown), atol=1e-6)
    assert covering.weight is plain.weight


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_its_gradients_are_the_convolutions(layout: torch.memory_format) -> None:
    plain = nn.Conv2d(4, 6, 3).to(memory_format=layout)
    shown = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(1), requires_grad=True)
    found = []
    for layer in (plain, CoveringConv2d.sharing(plain)):
        (layer(shown) ** 2).sum().backward()
        assert plain.weight.grad is not None
        assert plain.weight.grad.stride() == plain.weight.stride()  # else each step arranges all weights anew
        found.append([gradient.clone() for gradient in (shown.grad, plain.weight.grad, plain.bias.grad)])
        shown.grad = None
        plain.zero_grad()
    for ours, torchs in zip(*found, strict=True):
        assert torch.allclose(ours, torchs, atol=1e-5)


def test_a_convolution_that_pads_is_refused() -> None:
    with pytest.raises(ValueError, match="without padding"):
        CoveringConv2d.sharing(nn.Conv2d(4, 6, 3, padding=1))


def test_vgg_has_such_a_head_and_the_parameters_it_had() -> None:
    model = create_classifier("vgg11", ("a", "b"), (32, 32))
    heads = [module for module in model.modules() if isinstance(module, ConvMlp)]
    assert heads
    assert all(isinstance(head.fc1, CoveringConv2d) and isinstance(head.fc2, CoveringConv2d) for head in heads)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items() if "pre_logits" in name}
    assert shapes["backbone.pre_logits.fc1.weight"] == (4096, 512, 7, 7)
    assert len(shapes) == 4
