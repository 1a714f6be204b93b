"""Adversarial training with pixels, against a model whose worst picture is known."""

import pytest
import torch
from torch import nn

from natadv.training.pixel_adversary import PixelAdversary
from natadv.training.recipe import Recipe


class Weighing(nn.Module):
    """Two classes by a weighted sum; a batch norm shows whether the mode is put back."""

    def __init__(self):
        super().__init__()
        self.weights = torch.randn(3, 6, 6, generator=torch.Generator().manual_seed(2))
        self.norm = nn.BatchNorm1d(1)

    def forward(self, batch):
        score = self.norm(((batch - 0.5) * self.weights).sum((1, 2, 3))[:, None])
        return torch.cat([-score, score], 1)


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def test_against_a_linear_model_every_value_ends_at_the_budget():
    model, batch = Weighing().train(), torch.full((5, 3, 6, 6), 0.5)
    changed = PixelAdversary(8 / 255, steps=5)(model, batch, torch.zeros(5, dtype=torch.int64), chance())
    assert torch.allclose(changed, batch + 8 / 255 * model.weights.sign(), atol=1e-6)
    assert model.training
    assert model.norm.num_batches_tracked == 0


def test_pictures_stay_within_range_and_about_the_share_is_attacked():
    batch = torch.rand(400, 3, 6, 6, generator=chance(1))
    changed = PixelAdversary(0.3, steps=1, share=0.25)(Weighing(), batch, torch.zeros(400, dtype=torch.int64), chance())
    assert changed.min() >= 0
    assert changed.max() <= 1
    share = (changed != batch).flatten(1).any(1).float().mean()
    assert 0.18 < share < 0.32


@pytest.mark.parametrize("wrong", [{"epsilon": 0}, {"epsilon": 0.1, "steps": 0}, {"epsilon": 0.1, "share": 0}])
def test_senseless_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="expected epsilon"):
        PixelAdversary(**wrong)


def test_a_recipe_has_one_adversary():
    with pytest.raises(ValueError, match="one adversary at a time"):
        Recipe(data="signs", advrd=0.5, pgd=0.5)
