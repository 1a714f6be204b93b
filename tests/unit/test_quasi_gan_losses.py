import math

import pytest
import torch
from torch.distributions import Normal
from torch.distributions import kl_divergence as divergence
from torch.nn import functional

from natadv.training.quasi_gan.losses import (
    adversarial_loss,
    balanced_l1,
    discriminator_loss,
    generator_loss,
    kl_divergence,
    reparametrised,
    saturating_generator_loss,
)


def test_kl_is_that_of_gaussians() -> None:
    chance = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(5, 64, generator=chance), torch.randn(5, 64, generator=chance)
    expected = divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(kl_divergence(mean, log_variance), expected)
    assert float(kl_divergence(torch.zeros(1, 64), torch.zeros(1, 64))) == 0
    one = kl_divergence(torch.tensor([[2.0]]), torch.tensor([[math.log(4.0)]]))
    assert float(one) == pytest.approx(0.5 * (4 + 4 - math.log(4) - 1))


def test_adversarial_loss_is_the_distance_from_eta() -> None:
    logits = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    labels = torch.tensor([0, 0, 0])
    loss = adversarial_loss(logits, labels, 2.0)
    torch.testing.assert_close(loss, torch.tensor([2 - math.log(2), 2.0, 8.0]), atol=1e-3, rtol=0)
    # Per image, as the paper has it: the mean of the distances, not the distance of the mean.
    assert float(loss.mean()) > abs(float(functional.cross_entropy(logits, labels)) - 2.0)


def test_gan_losses_in_closed_form() -> None:
    logits = torch.tensor([-3.0, 0.5, 2.0])
    judged = torch.sigmoid(logits)
    assert float(generator_loss(logits)) == pytest.approx(float(-judged.log().mean()), rel=1e-5)
    assert float(saturating_generator_loss(logits)) == pytest.approx(float((1 - judged).log().mean()), rel=1e-5)
    expected = -(judged.log().mean()) - (1 - judged).log().mean()
    assert float(discriminator_loss(logits, logits)) == pytest.approx(float(expected), rel=1e-5)


def test_balanced_l1_weighs_what_drops_changed() -> None:
    clean = torch.zeros(1, 3, 1, 10)
    rain = clean.clone()
    rain[..., 0] = 0.5
    # One pixel in ten was changed, so it counts five times: 5 of 14 parts.
    assert float(balanced_l1(clean, rain, clean)) == pytest.approx(0.5 * 5 / 14)
    assert float(balanced_l1(rain, rain, clean)) == 0
    elsewhere = rain.clone()
    elsewhere[..., 5] = 0.5
    assert float(balanced_l1(elsewhere, rain, clean)) == pytest.approx(0.5 / 14)


def test_reparametrisation_has_the_moments_it_is_told() -> None:
    noise = torch.randn(200_000, 1, generator=torch.Generator().manual_seed(1))
    sample = reparametrised(torch.tensor([[0.7]]), torch.tensor([[math.log(0.25)]]), noise)
    assert float(sample.mean()) == pytest.approx(0.7, abs=0.01)
    assert float(sample.std()) == pytest.approx(0.5, abs=0.01)
