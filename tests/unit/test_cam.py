"""Attention maps that are known in closed form, the model left as it was, and the panel."""

import sys

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from natadv.errors import ConfigError
from natadv.evaluation.cam import grad_cam, last_map
from natadv.images import read_image
from natadv.papers.panels import Seen, attention_panel, image_panel, overlay


class TwoColours(nn.Module):
    """Class 0 is the mean of red, class 1 that of green, through a convolution that passes both on."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1, bias=False)
        self.conv.weight.data = torch.tensor([[1.0, 0, 0], [0, 1, 0]])[:, :, None, None]
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Conv2d(2, 2, 1, bias=False)
        self.head.weight.data = torch.eye(2)[:, :, None, None]

    def forward(self, batch):
        return self.head(self.pool(self.relu(self.conv(batch)))).flatten(1)


@pytest.fixture
def images():
    """Red above on the left, green below on the right."""
    images = torch.zeros(3, 3, 8, 12)
    images[:, 0, :4, :6] = 1
    images[:, 1, 4:, 6:] = 1
    return images


def test_without_the_library_it_says_what_to_install(images, monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_grad_cam", None)
    with pytest.raises(ConfigError, match=r"Grad-CAM needs the package grad-cam: .* pip install '\.\[papers\]'"):
        grad_cam(TwoColours(), images, torch.tensor([0, 1, 0]))


def test_a_class_is_found_where_it_is(images):
    maps = grad_cam(TwoColours(), images, torch.tensor([0, 1, 0]), batch_size=2)
    assert torch.allclose(maps[0], images[0, 0], atol=1e-3)
    assert torch.allclose(maps[1], images[1, 1], atol=1e-3)
    assert torch.equal(maps[2], maps[0])


def test_the_layer_is_the_last_with_a_map_or_one_that_is_named(images):
    model = TwoColours()
    assert last_map(model, images) is model.relu
    named = grad_cam(model, images, torch.tensor([0, 1, 0]), layer=model.conv)
    assert torch.allclose(named[0], images[0, 0], atol=1e-3)
    with pytest.raises(ValueError, match="layer of the model"):
        grad_cam(model, images, torch.tensor([0, 1, 0]), layer=nn.ReLU())
    with pytest.raises(ValueError, match="no layer that gives a map"):
        last_map(nn.Sequential(nn.Flatten(), nn.Linear(288, 2)), images)


def test_the_model_comes_back_as_it_was(images):
    model = TwoColours().train()
    model.conv.weight.grad = torch.ones_like(model.conv.weight)
    model.head.weight.requires_grad_(False)
    grad_cam(model, images, torch.tensor([0, 1, 0]))
    assert model.training
    assert model.relu.training
    assert (model.conv.weight.grad == 1).all()
    assert model.conv.weight.requires_grad
    assert not model.head.weight.requires_grad
    assert not model.conv._forward_hooks
    assert not images.requires_grad


def test_an_image_without_the_class_has_an_empty_map(images):
    images[:, 0] = 0
    assert not grad_cam(TwoColours(), images, torch.tensor([0, 0, 0])).any()


def test_the_overlay_is_blue_to_red():
    grey = np.full((1, 2, 3), 100, np.uint8)
    seen = overlay(grey, np.array([[0.0, 1.0]], np.float32))
    assert seen[0, 0, 2] > seen[0, 0, 0]
    assert seen[0, 1, 0] > seen[0, 1, 2]


def test_the_panel_is_a_picture_that_grows_with_its_rows():
    rng = np.random.default_rng(0)
    seen = Seen(
        image=rng.integers(0, 256, (20, 20, 3), np.uint8),
        attention=rng.random((20, 20), np.float32),
        predicted="tench$, Tinca tinca",
        confidence=0.94,
        right=False,
    )
    heights = []
    for rows in (1, 3):
        png = attention_panel(("clean", "AdvRD", "captured"), [[seen, seen, None]] * rows)
        assert png == attention_panel(("clean", "AdvRD", "captured"), [[seen, seen, None]] * rows)
        decoded = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
        heights.append(decoded.shape[0])
        assert decoded.std() > 10
    assert heights[1] > 2 * heights[0]
    with pytest.raises(ValueError, match="rows of 2 images"):
        attention_panel(("clean", "AdvRD"), [[seen]])


def test_names_beside_pictures_are_whole(tmp_path):
    black = np.zeros((8, 8, 3), np.uint8)
    (tmp_path / "panel.png").write_bytes(image_panel({"Grad-CAM++, gyp": [black, black], "clean": [black, black]}))
    inked = (read_image(tmp_path / "panel.png") < 128).any(2).any(0)
    ends = np.flatnonzero(np.diff(inked.astype(int)))
    assert not inked[:8].any()  # room to spare: where letters are wider than they are measured, they were cut
    assert len(ends) >= 4  # the names' strip ends before the first picture's begins
    assert ends[1] - ends[0] > 12  # px that letters of 9 points are high, with what hangs below their line
