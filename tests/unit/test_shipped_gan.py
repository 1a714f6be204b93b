"""The quasi-GAN that comes with natadv: in evaluation mode, as it is used, it makes drops, and its code says which."""

import pytest
import torch
from torch.nn import functional

from natadv.training.generators import GAN, SHIPPED, open_generator
from natadv.training.quasi_gan.checkpoint import load_generator


@pytest.fixture(scope="module")
def drops():
    return open_generator(GAN, (64, 64))


def _pictures(count: int) -> torch.Tensor:
    """Smooth colourful pictures with an edge."""
    chance = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 5, 5, generator=chance)
    pictures = functional.interpolate(coarse, (64, 64), mode="bicubic").clamp(0, 1)
    pictures[:, :, 40:] *= 0.6
    return pictures


def _codes(count: int, seed: int) -> torch.Tensor:
    return torch.randn(count, 64, generator=torch.Generator().manual_seed(seed))


def test_it_is_small_and_says_what_it_is(drops):
    assert SHIPPED.stat().st_size < 10e6
    assert drops.name == "gan"
    loaded = load_generator(SHIPPED)
    assert loaded.kind == "natadv"
    assert loaded.training is None


@torch.no_grad()
def test_it_makes_drops_that_leave_most_of_the_picture_alone(drops):
    assert not drops.generator.training
    pictures = _pictures(16)
    wet = drops.generator(pictures, _codes(16, 1))
    change = (wet - pictures).abs().amax(1)
    covered = (change > 8 / 255).float().mean((1, 2))
    assert 0.03 < float(covered.mean()) < 0.6
    assert float(change.flatten(1).quantile(0.99, 1).mean()) > 0.15  # no veil: where there is a drop, it shows
    assert 0 <= float(wet.min()) <= float(wet.max()) <= 1


@torch.no_grad()
def test_another_code_makes_other_drops(drops):
    pictures = _pictures(1).expand(16, -1, -1, -1)
    wet = drops.generator(pictures, _codes(16, 2))
    apart = (wet - wet.roll(1, 0)).abs().mean()
    change = (wet - pictures).abs().mean()
    assert float(apart / change) > 0.5


@torch.no_grad()
def test_a_drop_shows_the_scene_upside_down(drops):
    """Before a picture that is bright above and dark below, drops are darker above and brighter below than it."""
    picture = torch.full((24, 3, 64, 64), 0.9)
    picture[:, :, 32:] = 0.1
    wet = drops.generator(picture, _codes(24, 3))
    change = wet - picture
    assert float(change[:, :, :28].mean()) < -0.01
    assert float(change[:, :, 36:].mean()) > 0.01
